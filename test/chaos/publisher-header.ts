/** The header that the chaos bridges put on each event: the id of the process that published it. */
export const PUBLISHER_HEADER = "Chaos-Publisher";
