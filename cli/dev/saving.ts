/**
 * Notices that files were saved, below folders or single ones. Each folder is watched by itself: a recursive watch loses a file on Linux when an
 * editor puts another one in its place (Node 24).
 */
import { type FSWatcher, statSync, watch } from "node:fs";
import { basename, dirname } from "node:path";
import { foldersOf } from "./function-file.ts";

/** An editor writes a file in several moves. */
const SETTLE_MS = 80;
/** What functions are made of: a log in the same folder is not. */
const IS_SOURCE = /^[^.].*\.([cm]?[jt]s|json|ya?ml)$/;

/** Calls `onSave` once for what is saved together. Returns how to stop. */
export function watchSaving(paths: readonly string[], onSave: () => void): () => void {
  const watchers = new Map<string, FSWatcher>();
  let timer: NodeJS.Timeout | undefined;
  const saved = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      follow(); // there may be a new folder
      onSave();
    }, SETTLE_MS);
  };
  const followFolder = (folder: string, isMeant: (name: string) => boolean) => {
    if (watchers.has(folder)) return;
    const watcher = watch(folder, (_, name) => {
      if (name !== null && isMeant(name)) saved();
    });
    watcher.on("error", () => {
      watcher.close(); // it was removed
      watchers.delete(folder);
    });
    watchers.set(folder, watcher);
  };
  const follow = () => {
    for (const path of paths) {
      if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) {
        followFolder(dirname(path), (name) => name === basename(path) || IS_SOURCE.test(name));
        continue;
      }
      for (const folder of foldersOf(path)) followFolder(folder, (name) => IS_SOURCE.test(name));
    }
  };
  follow();
  return () => {
    clearTimeout(timer);
    for (const watcher of watchers.values()) watcher.close();
  };
}
