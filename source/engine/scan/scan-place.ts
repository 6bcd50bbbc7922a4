// Where a scanned shard's source is at present, and how it is connected to: the node that has its slots, or that the sentinels
// name, may be another one after a while.

import type { SourceLinkOptions } from '../../readers/scan/source-link.ts';
import { formatAddress, type NodeAddress } from '../../topology/endpoint.ts';
import type { ServerOrigin, ShardJob } from '../run/shard-job.ts';
import { refreshOrigin } from '../shard/shard-restart.ts';

export class ScanPlace {
  /** Of all connections to the source, by whose name the run is known there. */
  readonly name: string;
  /** It was asked for just now, or links to it are open: nobody has to be asked again. */
  certain = true;
  #origin: ServerOrigin;
  #address: NodeAddress;
  readonly #moved: (address: NodeAddress, sentence: string) => void;

  /** @param moved the source is elsewhere; the sentence says so. */
  constructor(job: ShardJob, origin: ServerOrigin, moved: (address: NodeAddress, sentence: string) => void) {
    this.name = `redferry:${job.run}:${job.name}`;
    this.#origin = origin;
    this.#address = origin.address;
    this.#moved = moved;
  }

  get address(): NodeAddress {
    return this.#address;
  }

  get isCluster(): boolean {
    return this.#origin.nodeId !== null;
  }

  get link(): Omit<SourceLinkOptions, 'address' | 'clientName'> {
    const { tls, credentials, connectTimeoutMs, preferReplica } = this.#origin.endpoint;
    return { tls, credentials, connectTimeoutMs, readsReplica: this.isCluster && preferReplica };
  }

  /** The node that has the shard's slots now. @throws FerryError when nobody can be asked. */
  async locate(): Promise<NodeAddress> {
    if (this.certain) return this.#address;
    if (!this.isCluster && this.#origin.endpoint.scheme !== 'sentinel') return this.#address;
    const { address } = await refreshOrigin(this.#origin);
    if (!this.#isHere(address)) this.#go(address);
    return address;
  }

  /** That node has the shard's slots now. false: it is the one that is known. */
  moveTo(address: NodeAddress): boolean {
    if (this.#isHere(address)) return false;
    this.#go(address);
    this.#origin = { ...this.#origin, address };
    return true;
  }

  #isHere(address: NodeAddress): boolean {
    return formatAddress(address) === formatAddress(this.#address);
  }

  #go(address: NodeAddress): void {
    const sentence = `The source's ${formatAddress(this.#address)} has been replaced by ${formatAddress(address)}.`;
    this.#address = address;
    this.#moved(address, sentence);
  }
}
