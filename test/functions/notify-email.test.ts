import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { sendEmail } from "../../functions/actions/email.ts";
import notifyEmail from "../../functions/notify-email.ts";
import { type SmtpFault, type SmtpServerOfTests, startSmtp } from "../kit/smtp-server.ts";
import { sampleContext, sampleEvent } from "./actions/sample-event.ts";
import { failureOf } from "./actions/thrown.ts";
import { incidentRun, ownClock } from "./incident-run.ts";

const PASSWORD = "CR_REACTOR_TEST_SMTP";
const settings = ({ port, username, password }: SmtpServerOfTests, more: object = {}) => {
  process.env[PASSWORD] = password;
  const smtp = { host: "127.0.0.1", port, tls: "none", username, password: { env: PASSWORD } };
  return { smtp, from: "cr-reactor@acme.example", to: ["dba@acme.example"], ...more };
};
const changed = sampleEvent({
  before: { spec: { a: 1 } },
  after: { spec: { a: 2 }, status: { message: "no <b>space</b> left" } },
});

afterEach(() => {
  delete process.env[PASSWORD];
});

describe("an incident by e-mail", () => {
  test("is one thread under one subject, though memory is lost", async (t) => {
    await using smtp = await startSmtp();
    ownClock(t);
    const run = incidentRun(
      t,
      notifyEmail,
      settings(smtp, { subject: "{{ event.kind }} {{ event.name }} is in trouble" }),
    );
    await run.event("opened");
    assert.equal(await run.event("updated"), "told lately");
    run.forget();
    await run.event("resolved");
    const [first, last] = smtp.mails;
    assert.equal(smtp.mails.length, 2);
    assert.equal(first?.headers.get("subject"), "Database orders is in trouble");
    assert.equal(last?.headers.get("subject"), "Re: Database orders is in trouble");
    assert.match(first?.headers.get("message-id") ?? "", /^<cr-reactor\.[0-9a-f]{20}@acme\.example>$/);
    assert.equal(last?.headers.get("references"), first?.headers.get("message-id"));
    assert.equal(last?.headers.get("in-reply-to"), first?.headers.get("message-id"));
    assert.equal(first?.headers.get("auto-submitted"), "auto-generated");
    assert.match(last?.source ?? "", /Resolved: Database/);
  });

  test("repeats a message whose answer was lost under the same Message-ID", async (t) => {
    await using smtp = await startSmtp();
    ownClock(t);
    smtp.next("lose-answer");
    await incidentRun(t, notifyEmail, settings(smtp)).event("opened");
    const [one, other] = smtp.mails;
    assert.equal(one?.headers.get("message-id"), other?.headers.get("message-id"));
    assert.equal(one?.headers.get("date"), other?.headers.get("date"));
  });
});

describe("an e-mail", () => {
  const run = (smtp: SmtpServerOfTests, more: object = {}, event = changed) =>
    notifyEmail.run(sampleContext(event, notifyEmail.config.parse(settings(smtp, more))));

  test("goes to whom the templates name, each once, and has both forms", async () => {
    await using smtp = await startSmtp();
    const to = ["dba@acme.example", "{{ object.metadata.labels.owner }}", "dba@acme.example"];
    assert.equal(await run(smtp, { to }), "sent to 1 of 1");
    const { source = "" } = smtp.mails[0] ?? {};
    assert.match(source, /multipart\/alternative/);
    assert.match(source, /no &lt;b&gt;space/);
  });

  test("lets no value into its headers", async () => {
    await using smtp = await startSmtp();
    const evil = sampleEvent({
      before: { spec: { a: 1 } },
      after: {
        spec: { a: "x\r\nBcc: evil@evil.example\r\n\r\nbody" },
        metadata: { labels: { owner: "a@b.example\nBcc: evil@evil.example" } },
      },
    });
    await run(smtp, { subject: "{{ object.spec.a }}" }, evil);
    assert.equal(smtp.mails[0]?.headers.get("bcc"), undefined);
    assert.deepEqual(smtp.mails[0]?.to, ["dba@acme.example"]);
    const failure = await failureOf(async () => run(smtp, { to: ["{{ object.metadata.labels.owner }}"] }, evil));
    assert.match(failure.message, /is no e-mail address/);
  });

  test("that is for nobody says so", async () => {
    await using smtp = await startSmtp();
    const failure = await failureOf(async () => run(smtp, { to: ["{{ object.spec.nobody }}"] }));
    assert.deepEqual([failure.treated, smtp.mails.length], ["dead-letter", 0]);
  });

  test("goes to the others when one recipient is refused", async () => {
    await using smtp = await startSmtp();
    smtp.next({ at: "RCPT", reply: "550 5.1.1 no such user" });
    assert.equal(await run(smtp, { to: ["gone@acme.example", "dba@acme.example"] }), "sent to 1 of 2");
  });

  const rows: { name: string; fault: SmtpFault; treated: "retry" | "dead-letter"; message: RegExp }[] = [
    {
      name: "busy is tried again",
      fault: { at: "MAIL", reply: "451 4.3.0 try later" },
      treated: "retry",
      message: /451 4\.3\.0 try later/,
    },
    {
      name: "greylisted is tried again",
      fault: { at: "RCPT", reply: "450 4.2.0 greylisted" },
      treated: "retry",
      message: /450/,
    },
    {
      name: "refused for its sender says what to check",
      fault: { at: "MAIL", reply: "553 5.7.1 not yours" },
      treated: "dead-letter",
      message: /553.*check from/,
    },
    {
      name: "refused for its recipients says what to check",
      fault: { at: "RCPT", reply: "550 5.1.1 no such user" },
      treated: "dead-letter",
      message: /550.*and to/,
    },
    {
      name: "refused for its content is final",
      fault: { at: "END", reply: "554 5.7.1 spam" },
      treated: "dead-letter",
      message: /554 5\.7\.1 spam/,
    },
    {
      name: "refused for the password says what to check",
      fault: { at: "AUTH", reply: "535 5.7.8 wrong" },
      treated: "dead-letter",
      message: /app password/,
    },
    {
      name: "whose server closes is tried again",
      fault: { at: "MAIL", reply: "421 4.3.2 shutting down" },
      treated: "retry",
      message: /421/,
    },
  ];
  for (const { name, fault, treated, message } of rows) {
    test(name, async () => {
      await using smtp = await startSmtp();
      smtp.next(fault);
      const failure = await failureOf(async () => run(smtp));
      assert.equal(failure.treated, treated);
      assert.match(failure.message, message);
      assert.doesNotMatch(failure.words, /smtp-very-secret|c210cC12ZX/);
    });
  }

  const email = {
    from: "a@b.example",
    to: ["c@d.example"],
    subject: "s",
    text: "t",
    html: "t",
    date: new Date(0),
    messageId: "x@b.example",
  };

  test("whose server says nothing is tried again after its time", async () => {
    await using smtp = await startSmtp();
    smtp.next("hang");
    const failure = await failureOf(() =>
      sendEmail({ host: "127.0.0.1", port: smtp.port, tls: "none" }, email, { timeoutMs: 200 }),
    );
    assert.match(failure.message, /cannot be reached, or broke off/);
  });

  test("is not sent in the clear where encryption is asked for", async () => {
    await using smtp = await startSmtp();
    const failure = await failureOf(() => sendEmail({ host: "127.0.0.1", port: smtp.port, tls: "starttls" }, email));
    assert.equal(smtp.mails.length, 0);
    assert.match(failure.message, /STARTTLS/);
  });
});
