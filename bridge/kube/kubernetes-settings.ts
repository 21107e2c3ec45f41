/** Where the cluster is: the settings that the bridge's configuration and the commands share. */
import { z } from "zod";

/** Left out, the usual places are looked at: KUBECONFIG, ~/.kube/config, the pod's service account. */
export const KubernetesSettings = z
  .strictObject({ kubeconfig: z.string().min(1).exactOptional(), context: z.string().min(1).exactOptional() })
  .prefault({});
export type KubernetesSettings = z.infer<typeof KubernetesSettings>;
