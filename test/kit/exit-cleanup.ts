/**
 * What must be undone when this process ends, for whatever reason: normal exit, SIGINT, SIGTERM, SIGHUP or an uncaught exception.
 * Cleanups are synchronous, run once, newest first (a server is killed before its folder is removed). Only a SIGKILL of
 * this process skips them: servers die with it all the same where the kernel can do that (see spawnOwned), and folders
 * that stay behind are swept by a later run (see data-folder.ts).
 */
const cleanups = new Set<() => void>();
let isArmed = false; // the hooks belong to the process, so this is the one place where state is per process

const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

/** Runs `cleanup` when the process ends, unless the returned function was called before: it forgets the cleanup without running it. */
export function onExit(cleanup: () => void): () => void {
  arm();
  cleanups.add(cleanup);
  return () => {
    cleanups.delete(cleanup);
  };
}

function arm(): void {
  if (isArmed) return;
  isArmed = true;
  process.on("exit", runAll);
  for (const [signal, number] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      // Whoever else listens wants to end in their own way: "exit" still comes.
      if (process.listenerCount(signal) === 1) process.exit(128 + number);
    });
  }
}

function runAll(): void {
  for (const cleanup of [...cleanups].reverse()) {
    cleanups.delete(cleanup);
    try {
      cleanup();
    } catch {
      // The process is ending: the next cleanup matters more than this one's error.
    }
  }
}
