import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  decodeToken,
  encodePhase,
  encodeToken,
  eventSubject,
  objectPart,
  objectSubject,
  parseObjectSubject,
  partitionToken,
} from "../../../bridge/log/subject.ts";

const orders = { cluster: "prod-eu", group: "demo.example.com", kind: "Database", namespace: "shop", name: "orders" };

describe("a token of a subject", () => {
  const rows = [
    { name: "letters, digits and hyphens stay", text: "Database-01", token: "Database-01" },
    { name: "a dot becomes an underscore", text: "demo.example.com", token: "demo_example_com" },
    { name: "an underscore is encoded, because it stands for a dot", text: "a_b", token: "a=5Fb" },
    { name: "a space cannot split the protocol line", text: "Not Ready", token: "Not=20Ready" },
    { name: "wildcards match nothing else", text: "*>", token: "=2A=3E" },
    { name: "the escape itself is encoded", text: "a=b", token: "a=3Db" },
    { name: "other scripts are encoded byte by byte", text: "Fehlgeschlagen ✗", token: "Fehlgeschlagen=20=E2=9C=97" },
    { name: "nothing is not an empty token, which NATS refuses", text: "", token: "=" },
    { name: "dots alone are underscores", text: "..", token: "__" },
    { name: "a dot beside what is no letter is the same", text: "a.b c", token: "a_b=20c" },
    { name: "a lone dot is not mistaken for none", text: ".", token: "=2E" },
  ];
  for (const { name, text, token } of rows) {
    test(name, () => {
      assert.equal(encodeToken(text), token);
      assert.equal(decodeToken(token), text);
    });
  }

  test("any text survives encoding and is one safe token", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const token = encodeToken(text);
        assert.match(token, /^[A-Za-z0-9_=-]+$/);
        assert.notEqual(token, "_");
        assert.equal(decodeToken(token), Buffer.from(text, "utf8").toString("utf8"));
      }),
    );
  });

  test("a token with a broken escape is refused", () => {
    assert.throws(() => decodeToken("a=2"), /two hexadecimal digits/);
  });
});

describe("the subject of an event", () => {
  test("has the object, what happened, what changed, the new phase and the partition", () => {
    const facts = { op: "updated", spec: false, status: true, phase: "Failed" } as const;
    assert.equal(
      eventSubject(objectSubject(orders), facts),
      "cr.prod-eu.demo_example_com.Database.shop.orders.updated._.status.Failed.44",
    );
  });

  test("has eleven tokens whatever the names are", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (namespace, name, phase) => {
        const subject = eventSubject(objectSubject({ ...orders, namespace, name }), {
          op: "created",
          spec: true,
          status: true,
          phase,
        });
        assert.equal(subject.split(".").length, 11);
        assert.deepEqual(parseObjectSubject(subject), { ...orders, namespace, name });
        assert.equal(objectPart(subject), objectSubject({ ...orders, namespace, name }));
      }),
    );
  });

  test("a cluster-scoped object of the core group has no empty token", () => {
    const node = { cluster: "c", group: "", kind: "Node", namespace: "", name: "worker.1" };
    assert.equal(objectSubject(node), "cr.c.=.Node.=.worker_1");
    assert.deepEqual(parseObjectSubject(objectSubject(node)), node);
  });

  test("partitions never change: functions in the field depend on them", () => {
    assert.equal(partitionToken("cr.prod-eu.demo_example_com.Database.shop.orders"), "44");
    assert.equal(partitionToken("cr.dev.demo_example_com.Database.prod.existing"), "54");
  });

  test("a subject of somebody else is refused with what was expected", () => {
    assert.throws(() => parseObjectSubject("orders.created"), /expected cr\.<cluster>/);
  });
});

describe("a phase in the subject", () => {
  test("stays readable up to 64 bytes", () => {
    assert.equal(encodePhase("A".repeat(64)), "A".repeat(64));
  });

  test("is cut beyond that, and two long ones that begin alike stay different", () => {
    const [a, b] = [encodePhase(`${"A".repeat(70)}1`), encodePhase(`${"A".repeat(70)}2`)];
    assert.ok(a.length <= 64 && b.length <= 64);
    assert.notEqual(a, b);
  });

  test("is never cut inside an escape", () => {
    assert.match(encodePhase("é".repeat(40)), /^(=[0-9A-F]{2})+-[0-9a-f]{8}$/);
  });
});
