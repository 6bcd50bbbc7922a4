// The narrow door through which this folder talks to a target: one command to one node, always over the same connection.

/**
 * Sends one command; gives text for strings, a number, null, or an array of these. Rejects with the server's words when
 * the reply is an error, and when the link is lost.
 */
export type NodeRequest = (args: readonly string[]) => Promise<unknown>;

/** A node of the target to ask. */
export interface AskedNode {
  /** host:port, for messages. */
  readonly address: string;
  readonly request: NodeRequest;
}
