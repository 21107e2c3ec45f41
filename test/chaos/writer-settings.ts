/** What the writer is told by whoever starts it: it crosses processes in a file that the writer's one argument names. */
import { z } from "zod";
import { KubeAccessData } from "../kit/kube-access.ts";

/** The writer's settings. */
export const WriterSettings = z.object({
  kube: KubeAccessData,
  ledgerPath: z.string(),
  /** Where orders are put while it runs. */
  ordersPath: z.string(),
  seed: z.int(),
  /** Writes a second, all objects together. */
  rate: z.number().positive(),
  objects: z.int().positive(),
  namespaces: z.array(z.string()).min(1),
});
export type WriterSettings = z.infer<typeof WriterSettings>;
