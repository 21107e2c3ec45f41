/**
 * Stands in for parts of the kit: does what they do, passes the kill points on the way, and waits two seconds where the kit waits
 * fifteen or thirty, so that a killed process' events come again soon.
 */
import { githubIssues as trackIssues } from "../../functions/actions/ticket/github-issues.ts";
import { createAcknowledgements as acknowledge } from "../../functions/kit/delivery/acknowledgement.ts";
import { publishDeadLetter as publish } from "../../functions/kit/delivery/dead-letter.ts";
import { deliveryLimits as limitsOf } from "../../functions/kit/delivery/delivery-limits.ts";
import { settle as settleEvent } from "../../functions/kit/delivery/settle.ts";
import { createNatsIncidents as openIncidents } from "../../functions/kit/incident/nats-memory.ts";
import { createMembership as joinOthers } from "../../functions/kit/ownership/membership.ts";
import { createHeldBackBook as openBook } from "../../functions/kit/silence/held-back.ts";
import { createNatsMemory as openMemory } from "../../functions/kit/step/nats-memory.ts";
import { isPatient, passed } from "./kill-point.ts";

export * from "../../functions/actions/ticket/github-issues.ts";
export * from "../../functions/kit/delivery/acknowledgement.ts";
export * from "../../functions/kit/delivery/dead-letter.ts";
export * from "../../functions/kit/delivery/delivery-limits.ts";
export * from "../../functions/kit/delivery/settle.ts";
export * from "../../functions/kit/incident/nats-memory.ts";
export * from "../../functions/kit/ownership/membership.ts";
export * from "../../functions/kit/silence/held-back.ts";
export * from "../../functions/kit/step/nats-memory.ts";

/** Quicker than in life. */
export const deliveryLimits: typeof limitsOf = (concurrency) => ({
  ...limitsOf(concurrency),
  ackWaitMs: 2_000,
  graceMs: 50,
  drainMs: 2_000,
  retry: { firstMs: 5, maxMs: 20, resetAfterMs: Number.POSITIVE_INFINITY },
});

export const settle: typeof settleEvent = (delivered, slotsTaken, options) => {
  const run: typeof options.binding.run = async (call) => {
    passed("before-run");
    const note = await options.binding.run(call);
    passed("after-run");
    return note;
  };
  return settleEvent(delivered, slotsTaken, { ...options, binding: { ...options.binding, run } });
};

export const createNatsMemory: typeof openMemory = (jetStream) => {
  const memory = openMemory(jetStream, isPatient() ? undefined : { renewMs: 300, silenceMs: 1_000, lookMs: 50 });
  return {
    async claim(key, options) {
      const found = await memory.claim(key, options);
      if ("type" in found) return found;
      passed(`claimed:${key.step}`);
      return {
        ...found,
        async record(end) {
          passed(`before-record:${key.step}`);
          const kept = await found.record(end);
          passed(`recorded:${key.step}`);
          return kept;
        },
      };
    },
  };
};

export const createNatsIncidents: typeof openIncidents = (...given) => {
  const memory = openIncidents(...given);
  return {
    ...memory,
    async write(...change) {
      passed("before-incident");
      const revision = await memory.write(...change);
      passed("incident-stored");
      return revision;
    },
  };
};

export const createHeldBackBook: typeof openBook = (...given) => {
  const book = openBook(...given);
  return {
    ...book,
    async keep(...held) {
      passed("before-held");
      await book.keep(...held);
      passed("held-stored");
    },
    async markTold(...told) {
      passed("before-told");
      await book.markTold(...told);
      passed("told-stored");
    },
  };
};

/** The look-alike has a creation at once or never. */
export const githubIssues: typeof trackIssues = (...given) => ({ ...trackIssues(...given), settleMs: 500 });

export const createMembership: typeof joinOthers = (jetStream, options) =>
  joinOthers(jetStream, {
    ...options,
    ...(!isPatient() && { limits: { heartbeatMs: 300, renewDeadlineMs: 1_000, leaseMs: 2_000 } }),
  });

export const createAcknowledgements: typeof acknowledge = (...given) => {
  const acknowledgements = acknowledge(...given);
  return {
    ...acknowledgements,
    async finish(...event) {
      passed("before-ack");
      await acknowledgements.finish(...event);
    },
  };
};

export const publishDeadLetter: typeof publish = async (...given) => {
  passed("before-letter");
  const letter = await publish(...given);
  passed("letter-stored");
  return letter;
};
