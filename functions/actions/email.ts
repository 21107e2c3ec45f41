/**
 * Sends an e-mail through an SMTP server, with nodemailer, which is loaded when the first one is sent. A Message-ID that is the same on every
 * try lets receivers drop a repetition (most do, none must); References make a thread of an incident. What goes into a header is made
 * one line. Source: RFC 5321 (SMTP, reply codes), RFC 5322 section 3.6.4 (identification), RFC 3834 (automatic messages).
 */
import { z } from "zod";
import { PermanentError, readSecret, SecretSource } from "#kit";
import { withoutEcho } from "./echo.ts";

/** The server, for settings. */
export const SmtpServer = z
  .strictObject({
    host: z.string().min(1),
    /** Default 587, with `implicit` 465. */
    port: z.int().min(1).max(65_535).optional(),
    /** `starttls`: encrypted or not at all. `implicit`: encrypted from the first byte. `none`: for a relay on this machine. */
    tls: z.enum(["starttls", "implicit", "none"]).default("starttls"),
    username: z.string().min(1).optional(),
    password: SecretSource.optional(),
  })
  .refine(({ username, password }) => (username === undefined) === (password === undefined), {
    error: "username and password belong together",
  });
export type SmtpServer = z.infer<typeof SmtpServer>;

/** An e-mail. `messageId` and `threadId` without their angle brackets. */
export interface Email {
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  /** The event's time, so that a repetition is the same message. */
  readonly date: Date;
  readonly messageId: string;
  /** The Message-ID of the thread's first message, when this is another one. */
  readonly threadId?: string | undefined;
}

/** Within a function's 30 s, all together. */
const TIMEOUT_MS = 8_000;
const SUBJECT_CHARS_MAX = 200;

/** What nodemailer says about a failure. */
const Failure = z.object({
  code: z.string().optional().catch(undefined),
  responseCode: z.number().optional().catch(undefined),
  response: z.string().optional().catch(undefined),
});

/**
 * Sends it. Resolves to the recipients whom the server refused while it took others. Throws PermanentError for what the server refuses for
 * good (5yz), an Error worth another try for everything else; neither contains the password.
 */
export async function sendEmail(
  server: SmtpServer,
  email: Email,
  { signal, timeoutMs = TIMEOUT_MS }: { readonly signal?: AbortSignal; readonly timeoutMs?: number } = {},
): Promise<readonly string[]> {
  const { createTransport } = await import("nodemailer");
  const { host, tls, username, password } = server;
  const auth = username !== undefined && password && { user: username, pass: readSecret(password) };
  const transport = createTransport({
    host,
    port: server.port ?? (tls === "implicit" ? 465 : 587),
    secure: tls === "implicit",
    requireTLS: tls === "starttls",
    ignoreTLS: tls === "none",
    ...(auth && { auth }),
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    // A text must never name a file or a page to be read.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const close = () => transport.close();
  signal?.addEventListener("abort", close, { once: true });
  try {
    signal?.throwIfAborted();
    const { rejected } = await transport.sendMail(messageOf(email));
    return rejected.map(String);
  } catch (error) {
    throw failure(server, error, auth ? [auth.user, auth.pass, `\0${auth.user}\0${auth.pass}`] : []);
  } finally {
    signal?.removeEventListener("abort", close);
    transport.close();
  }
}

function messageOf({ from, to, subject, text, html, date, messageId, threadId }: Email) {
  const thread = threadId === undefined ? {} : { inReplyTo: `<${threadId}>`, references: `<${threadId}>` };
  return {
    from,
    to: [...to],
    subject: subject
      .replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, " ")
      .trim()
      .slice(0, SUBJECT_CHARS_MAX)
      .toWellFormed(),
    text,
    html,
    date,
    messageId: `<${messageId}>`,
    headers: { "Auto-Submitted": "auto-generated" },
    ...thread,
  };
}

/** No `cause`: nodemailer's error has the whole conversation on it. */
function failure({ host }: SmtpServer, error: unknown, secrets: readonly string[]): Error {
  const { code = "", responseCode = 0, response = "" } = Failure.safeParse(error).data ?? {};
  const said = withoutEcho(response, secrets).replace(/\s+/g, " ").slice(0, 300);
  if (code === "ETLS")
    return new Error(
      `the mail server ${host} cannot be spoken to in secret: it offers no STARTTLS, or its certificate is not trusted; set tls, or NODE_EXTRA_CA_CERTS`,
    );
  // 503 is about the session, not the message.
  if (responseCode >= 500 && responseCode !== 503)
    return new PermanentError(`the mail server ${host} refused the message (${said}): ${nextStep(code, responseCode)}`);
  if (responseCode >= 400) return new Error(`the mail server ${host} cannot take the message now (${said})`);
  if (code === "ENOAUTH" || code === "EENVELOPE")
    return new PermanentError(`the mail for ${host} cannot be sent (${code}): check username, password, from and to`);
  const why = code === "" ? "" : ` (${code})`;
  return new Error(`the mail server ${host} cannot be reached, or broke off before it took the message${why}`);
}

function nextStep(code: string, responseCode: number): string {
  if (code === "EAUTH" || responseCode === 530 || responseCode === 535)
    return "check username and password; many providers want an app password";
  if (responseCode === 550 || responseCode === 551 || responseCode === 553)
    return "check from, which this account must be allowed to use, and to";
  if (responseCode === 552 || responseCode === 523) return "the message is too large: set fieldsMax lower";
  return "read the server's own words";
}
