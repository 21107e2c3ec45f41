/**
 * How many partitions each process gets: the same number, or one more. Who holds the most keeps the extra ones, so that as few as
 * possible move when processes come and go; between equals a hash of both names decides, so that the subscriptions of one kind of process
 * spread over all of them.
 */
import { hash } from "node:crypto";

/** The shares of all members, by id. `held` says how many each has now. All who see the same come to the same. */
export function sharesOf(
  subscription: string,
  partitions: number,
  held: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const rank = (id: string) => hash("sha256", `${subscription}/${id}`, "hex");
  const members = [...held.keys()].map((id) => ({ id, held: held.get(id) ?? 0, rank: rank(id) }));
  members.sort((a, b) => b.held - a.held || (a.rank < b.rank ? -1 : 1));
  const least = Math.floor(partitions / members.length);
  const extra = partitions % members.length;
  return new Map(members.map(({ id }, position) => [id, position < extra ? least + 1 : least]));
}
