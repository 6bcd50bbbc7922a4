// Strings (type 0): the only value whose one primitive may be of any size, so it is given in pieces as it comes.
import type { DecodeTask, Decoding } from './decode-task.ts';
import { LzfStream, PIECE_BYTES } from './lzf-stream.ts';
import { RdbError } from './rdb-error.ts';

/** Compressed strings up to this size are inflated in one go. */
const MOST_WHOLE_BYTES = 1024 * 1024;

export function* decodeText(task: DecodeTask): Decoding {
  const { reader, sink } = task;
  let head = reader.stringHead(MOST_WHOLE_BYTES);
  while (head === 'incomplete') {
    yield 'hungry';
    head = reader.stringHead(MOST_WHOLE_BYTES);
  }
  if (head === 'plain') {
    sink.begin('string', reader.number);
    yield* plainPieces(task, reader.value);
  } else if (head === 'packed') {
    sink.begin('string', reader.number);
    yield* inflatedPieces(task, reader.value, reader.number);
  } else {
    while (!reader.string()) yield 'hungry';
    sink.begin('string', reader.first.end - reader.first.start);
    sink.text(reader.first);
  }
  sink.end();
}

function* plainPieces({ reader, sink, pace }: DecodeTask, length: number): Decoding {
  for (let rest = length; rest > 0; ) {
    const { view } = reader;
    const taken = Math.min(rest, view.end - view.start, PIECE_BYTES);
    if (taken === 0) {
      yield 'hungry';
      continue;
    }
    reader.first.set(view.bytes, view.start, view.start + taken);
    view.start += taken;
    rest -= taken;
    sink.text(reader.first);
    while (pace.saturated) yield 'blocked';
  }
}

function* inflatedPieces({ reader, sink, pace }: DecodeTask, packed: number, length: number): Decoding {
  const stream = new LzfStream(packed, length);
  const offset = reader.position;
  while (!stream.done) {
    const { view } = reader;
    const next = stream.inflate(view.bytes, view.start, view.end);
    if (next < 0) throw new RdbError(`A compressed string that does not give its ${length} bytes`, offset);
    view.start = next;
    if (stream.full || stream.done) {
      stream.take(reader.first);
      sink.text(reader.first);
      while (pace.saturated) yield 'blocked';
    } else {
      yield 'hungry';
    }
  }
}
