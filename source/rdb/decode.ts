// Decodes RDB values of every type whose elements a server's own commands can write, whatever their encoding, into a
// ValueSink: in any chunking, and no faster than the sink takes them. Source: rdbLoadObject of Redis 7.4 to 8.6 and of
// Valkey 9; the format reference has each layout.
import type { ByteView } from './byte-view.ts';
import {
  decodeIntegers,
  decodeOldFields,
  decodePackedElements,
  decodePackedFields,
  decodePackedScored,
  decodeQuicklist,
  decodeQuicklist2,
} from './decode-containers.ts';
import { decodeExpiringFields, decodePackedExpiringFields, decodeValkeyFields } from './decode-field-expiry.ts';
import { decodeElements, decodeFields, decodeScored, decodeTextScored } from './decode-plain.ts';
import { decodeStream } from './decode-stream.ts';
import type { Decoder, Decoding } from './decode-task.ts';
import {
  decodeTemplateArray,
  decodeTemplateArrayRef,
  decodeTemplateListpack,
  decodeTemplateListpackRef,
} from './decode-templates.ts';
import { decodeText } from './decode-text.ts';
import { type Dialect, TYPE, VALKEY_TYPE } from './format.ts';
import type { HashTemplates } from './hash-templates.ts';
import { RdbError } from './rdb-error.ts';
import { ValueReader } from './value-reader.ts';
import type { ValueSink } from './value-sink.ts';

export type { Decoding } from './decode-task.ts';
export { ValueReader } from './value-reader.ts';

const SHARED: Readonly<Record<number, Decoder>> = {
  [TYPE.string]: decodeText,
  [TYPE.list]: (task) => decodeElements('list', task),
  [TYPE.set]: (task) => decodeElements('set', task),
  [TYPE.zset]: decodeTextScored,
  [TYPE.hash]: decodeFields,
  [TYPE.zset2]: decodeScored,
  [TYPE.hashZipmap]: decodeOldFields,
  [TYPE.listZiplist]: (task) => decodePackedElements('list', 'ziplist', task),
  [TYPE.setIntset]: decodeIntegers,
  [TYPE.zsetZiplist]: (task) => decodePackedScored('ziplist', task),
  [TYPE.hashZiplist]: (task) => decodePackedFields('ziplist', task),
  [TYPE.listQuicklist]: decodeQuicklist,
  [TYPE.streamListpacks]: (task) => decodeStream(1, task),
  [TYPE.hashListpack]: (task) => decodePackedFields('listpack', task),
  [TYPE.zsetListpack]: (task) => decodePackedScored('listpack', task),
  [TYPE.listQuicklist2]: decodeQuicklist2,
  [TYPE.streamListpacks2]: (task) => decodeStream(2, task),
  [TYPE.setListpack]: (task) => decodePackedElements('set', 'listpack', task),
  [TYPE.streamListpacks3]: (task) => decodeStream(3, task),
};

const OF_REDIS: Readonly<Record<number, Decoder>> = {
  [TYPE.hashMetadataPreGa]: (task) => decodeExpiringFields(false, task),
  [TYPE.hashListpackExPreGa]: (task) => decodePackedExpiringFields(false, task),
  [TYPE.hashMetadata]: (task) => decodeExpiringFields(true, task),
  [TYPE.hashListpackEx]: (task) => decodePackedExpiringFields(true, task),
  [TYPE.streamListpacks4]: (task) => decodeStream(4, task),
  [TYPE.streamListpacks5]: (task) => decodeStream(5, task),
  [TYPE.hashTemplateListpack]: decodeTemplateListpack,
  [TYPE.hashTemplateListpackRef]: decodeTemplateListpackRef,
  [TYPE.hashTemplateArray]: decodeTemplateArray,
  [TYPE.hashTemplateArrayRef]: decodeTemplateArrayRef,
};

const OF_VALKEY: Readonly<Record<number, Decoder>> = {
  [VALKEY_TYPE.hash2]: decodeValkeyFields,
};

/** The pace of whoever wants everything at once. */
const UNHINDERED = { saturated: false } as const;

function decoderOf(type: number, dialect: Dialect): Decoder | undefined {
  return SHARED[type] ?? (dialect === 'redis' ? OF_REDIS : OF_VALKEY)[type];
}

/**
 * Whether decodeValue knows this type. It does not know modules, arrays, rate limiters and Valkey's path hashes: they
 * have no elements that every server knows. Hashes that refer to a template also need that template.
 */
export function canDecode(type: number, dialect: Dialect): boolean {
  return decoderOf(type, dialect) !== undefined;
}

/**
 * Decodes a value that begins where the reader's view begins into the sink, with its `begin` and `end`, and takes its
 * bytes off the view. Nothing else may use the reader meanwhile; its view may be refilled, moved or replaced whenever
 * the decoder waits.
 * @param dialect whose meaning the type's number has.
 * @param templates what types 30 and 32 refer to.
 * @throws RdbError, from `next`, for bytes that no server writes; the sink has then got what came before them.
 */
export function decodeValue(
  type: number,
  dialect: Dialect,
  reader: ValueReader,
  sink: ValueSink,
  templates?: HashTemplates,
): Decoding {
  return decoder(type, dialect, reader.view)({ reader, sink, pace: sink, templates });
}

/**
 * Decodes a value that is all there in one go, whether or not the sink is saturated. What stands behind it stays in
 * the view.
 * @throws RdbError also when the view ends before the value does.
 */
export function decodeWhole(
  type: number,
  dialect: Dialect,
  view: ByteView,
  sink: ValueSink,
  templates?: HashTemplates,
): void {
  const reader = new ValueReader(view);
  const decoding = decoder(type, dialect, view)({ reader, sink, pace: UNHINDERED, templates });
  if (decoding.next().done !== true) throw new RdbError('The value ends early', view.position);
}

function decoder(type: number, dialect: Dialect, view: ByteView): Decoder {
  const known = decoderOf(type, dialect);
  if (known === undefined)
    throw new RdbError(`A value of type ${type} (${dialect}) that cannot be decoded`, view.position);
  return known;
}
