// What every decoder of a value type gets, and what it is.
import type { HashTemplates } from './hash-templates.ts';
import type { ValueReader } from './value-reader.ts';
import type { ValueSink } from './value-sink.ts';

/** hungry: the view holds too little, refill it and go on; blocked: the sink is saturated, go on when it is not. */
export type Decoding = Generator<'hungry' | 'blocked', void, void>;

export interface DecodeTask {
  readonly reader: ValueReader;
  readonly sink: ValueSink;
  /** The sink, or something that is never saturated. */
  readonly pace: { readonly saturated: boolean };
  readonly templates: HashTemplates | undefined;
}

export type Decoder = (task: DecodeTask) => Decoding;
