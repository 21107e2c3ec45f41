/**
 * Posts a message through an incoming webhook: to the channel it was made for, with no way to learn where the message stands, so there
 * are no threads, no updates, and no way to find out whether a call whose answer was lost had posted.
 * Source: docs.slack.dev, "Sending messages using incoming webhooks".
 */
import { httpRequest } from "../http-client.ts";
import type { MessageMaker, SlackMessage } from "./block.ts";
import { isBlockRefusal, webhookRefusal } from "./refusal.ts";
import type { SlackOptions } from "./web-api.ts";

/** Posts it; `url` is a secret. Throws PermanentError with the next step when Slack refuses it, else an error worth another try. */
export async function postToWebhook(url: string, make: MessageMaker, options: SlackOptions = {}): Promise<void> {
  let word = "";
  const post = (message: SlackMessage) =>
    httpRequest({
      ...options,
      url,
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ...message, unfurl_links: false, unfurl_media: false }),
      explain: (status, text) => {
        word = text.trim();
        return webhookRefusal(status, text);
      },
    });
  try {
    await post(make("table"));
  } catch (error) {
    if (!isBlockRefusal(word)) throw error;
    await post(make("lines"));
  }
}
