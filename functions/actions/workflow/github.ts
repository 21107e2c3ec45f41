/**
 * A workflow of GitHub Actions: by workflow_dispatch (one workflow, with its inputs) or by repository_dispatch (whatever listens to the type).
 * Neither knows repetitions. The order's id goes along, so that the workflow can (`concurrency`, or a check of its own); on this side the
 * step's record bounds them: only a call whose answer was lost is made again.
 * Source: docs.github.com, REST API: "Create a workflow dispatch event", "Create a repository dispatch event".
 */
import { z } from "zod";
import { HttpUrl } from "../http-client.ts";
import { GitHubCredentials, githubApi } from "../ticket/github-api.ts";
import { type Started, textParameters, type WorkflowOrder } from "./workflow-order.ts";

/** For settings. */
export const GitHubActionsTarget = z
  .strictObject({
    type: z.literal("github-actions"),
    repository: z.string().regex(/^[\w-][\w.-]*\/[\w.-]*[\w-][\w.-]*$/, "expected owner/name"),
    /** Default github.com's; a GitHub Enterprise Server has https://<host>/api/v3. */
    apiUrl: HttpUrl.default("https://api.github.com"),
    ...GitHubCredentials.shape,
    /** The workflow's file name, such as resize.yaml; it is started by workflow_dispatch. */
    workflow: z
      .string()
      .regex(/^[\w.-]+$/, "expected the file name of a workflow, such as resize.yaml")
      .optional(),
    /** With `workflow`: the branch or tag that it is taken from. */
    ref: z.string().min(1).optional(),
    /** With `workflow`: the input that takes the order's id; GitHub refuses inputs that the workflow does not declare. */
    idInput: z.string().min(1).optional(),
    /** The type of a repository_dispatch; `client_payload` has id, event and parameters. */
    eventType: z.string().min(1).max(100).optional(),
  })
  .superRefine((target, context) => {
    const problem = problemOf(target);
    if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
  });
type GitHubActionsTarget = z.infer<typeof GitHubActionsTarget>;

function problemOf(target: Omit<GitHubActionsTarget, "type" | "apiUrl">): string | undefined {
  const { workflow, ref, idInput, eventType, token, app } = target;
  if ((workflow === undefined) === (eventType === undefined)) return "set workflow and ref, or eventType: one of them";
  if (workflow !== undefined && ref === undefined) return "ref is missing: the branch or tag that has the workflow";
  if (workflow === undefined && (ref ?? idInput) !== undefined)
    return "ref and idInput are for workflow: leave them out";
  if ((token === undefined) === (app === undefined)) return "set token, or app: one of them";
  return undefined;
}

/** Starts it. Throws as githubApi does. */
export async function dispatchWorkflow(target: GitHubActionsTarget, order: WorkflowOrder): Promise<Started> {
  const { repository, apiUrl, token, app, workflow, ref, idInput, eventType } = target;
  const permission = workflow === undefined ? "contents" : "actions";
  const { signal } = order.call;
  const api = githubApi({ apiUrl, repository, credentials: { token, app }, permission, signal });
  const root = `/repos/${repository}`;
  if (workflow === undefined) {
    const { id, event, parameters } = order;
    const body = { event_type: eventType, client_payload: { id, event, parameters } };
    await api({ method: "POST", path: `${root}/dispatches`, body });
  } else {
    const inputs = { ...Object.fromEntries(textParameters(order)), ...(idInput && { [idInput]: order.id }) };
    await api({ method: "POST", path: `${root}/actions/workflows/${workflow}/dispatches`, body: { ref, inputs } });
  }
  return "started";
}
