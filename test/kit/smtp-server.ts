/**
 * A local SMTP server that takes mail for nobody: it holds a conversation by RFC 5321 with AUTH PLAIN, keeps what it took, and misbehaves on
 * demand, as a server that is busy, that refuses, or that takes a message and says nothing.
 */
import type { AddressInfo } from "node:net";
import { createServer, type Socket } from "node:net";

/** A message as it arrived. */
export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  /** Header lines unfolded, by lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  readonly source: string;
}

/** What the next message meets: a reply to a command instead of the usual one, or the connection broken after everything was taken. */
export type SmtpFault =
  | { readonly at: "AUTH" | "MAIL" | "RCPT" | "DATA" | "END"; readonly reply: string }
  | "lose-answer"
  | "hang";

/** A running server. */
export interface SmtpServerOfTests extends AsyncDisposable {
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly mails: readonly ReceivedMail[];
  next(fault: SmtpFault): void;
}

const USERNAME = "cr-reactor";
const PASSWORD = "smtp-very-secret";

/** Starts it on a free loopback port, without TLS. */
export async function startSmtp(): Promise<SmtpServerOfTests> {
  const mails: ReceivedMail[] = [];
  const faults: SmtpFault[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => socket.destroy());
    converse(socket, faults, mails);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    username: USERNAME,
    password: PASSWORD,
    mails,
    next: (fault) => faults.push(fault),
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function converse(socket: Socket, faults: SmtpFault[], mails: ReceivedMail[]): void {
  let fault = faults[0];
  let [from, to, isData, buffer]: [string, string[], boolean, string] = ["", [], false, ""];
  const say = (line: string) => socket.write(`${line}\r\n`);
  /** Replies as the fault says, where it is about this command. */
  const reply = (at: string, usual: string): boolean => {
    const isMet = typeof fault === "object" && fault.at === at;
    if (isMet) faults.shift();
    say(isMet && typeof fault === "object" ? fault.reply : usual);
    if (isMet) fault = undefined;
    return !isMet;
  };
  const commands: Readonly<Record<string, (rest: string) => void>> = {
    EHLO: () => say("250-localhost\r\n250-AUTH PLAIN\r\n250 SIZE 1000000"),
    AUTH: (rest) => {
      const [, user, password] = Buffer.from(rest.replace("PLAIN ", ""), "base64").toString("utf8").split("\0");
      const isRight = user === USERNAME && password === PASSWORD;
      reply("AUTH", isRight ? "235 2.7.0 Authentication successful" : "535 5.7.8 Authentication credentials invalid");
    },
    MAIL: (rest) => {
      from = /<([^>]*)>/.exec(rest)?.[1] ?? "";
      reply("MAIL", "250 OK");
    },
    RCPT: (rest) => {
      if (reply("RCPT", "250 OK")) to.push(/<([^>]*)>/.exec(rest)?.[1] ?? "");
    },
    DATA: () => {
      isData = reply("DATA", "354 End data with <CR><LF>.<CR><LF>");
    },
    RSET: () => say("250 OK"),
    QUIT: () => socket.end("221 Bye\r\n"),
  };
  const takeMail = (source: string) => {
    if (fault === "lose-answer") faults.shift();
    const isMet = typeof fault === "object" && fault.at === "END";
    if (!isMet) mails.push({ from, to, headers: headersOf(source), source });
    if (fault === "lose-answer") return void socket.destroy();
    reply("END", "250 OK queued");
    [from, to, isData] = ["", [], false];
  };
  if (fault === "hang") return void faults.shift();
  say("220 localhost ESMTP");
  socket.on("data", (chunk) => {
    buffer += chunk.toString("latin1");
    for (;;) {
      const end = isData ? buffer.indexOf("\r\n.\r\n") : buffer.indexOf("\r\n");
      if (end < 0) return;
      const text = buffer.slice(0, end);
      buffer = buffer.slice(end + (isData ? 5 : 2));
      if (isData) takeMail(text);
      else (commands[text.slice(0, 4).toUpperCase()] ?? (() => say("500 unknown")))(text.slice(5));
    }
  });
}

function headersOf(source: string): Map<string, string> {
  const [head = ""] = source.split("\r\n\r\n");
  const lines = head.replace(/\r\n[ \t]+/g, " ").split("\r\n");
  return new Map(
    lines.map((line) => [line.split(":")[0]?.toLowerCase() ?? "", line.slice(line.indexOf(":") + 1).trim()]),
  );
}
