// What an address names: a server to ask, or files.
import type { Endpoint } from '../topology/endpoint.ts';
import { type FileAddress, parseFileAddress } from './address.ts';
import { toEndpoint } from './endpoint.ts';
import type { SourceSettings, TargetSettings } from './schema.ts';

/** Files, with what the settings say about them. */
export interface FilePlace extends FileAddress {
  /** Of an AOF that is read: where to stop, unix ms; null for its end. */
  readonly untilMs: number | null;
  /** Of a file that is written: whether one of that name is replaced, and its RDB version; null for the source's. */
  readonly overwrite: boolean;
  readonly rdbVersion: number | null;
}

export type Place = Endpoint | FilePlace;

/** @throws FerryError `config` with one sentence. */
export function toPlace(settings: SourceSettings | TargetSettings): Place {
  const file = parseFileAddress(settings.address);
  if (file === null) return toEndpoint(settings);
  return {
    ...file,
    untilMs: 'until' in settings && settings.until !== undefined ? Date.parse(settings.until) : null,
    overwrite: 'overwrite' in settings && settings.overwrite,
    rdbVersion: 'rdbVersion' in settings ? (settings.rdbVersion ?? null) : null,
  };
}

export function isFile(place: Place): place is FilePlace {
  return 'paths' in place;
}
