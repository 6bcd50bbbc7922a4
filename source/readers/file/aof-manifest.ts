// Which files make up a multi-part AOF, and in which order. The rules are those of aofLoadManifestFromFile in aof.c of
// Redis 7.0 (Valkey's are the same): what no server starts with is refused here too, with the line.
import { FerryError } from '../../engine/errors.ts';

export interface AofManifest {
  /** Name of the base file, when there is one: an RDB or commands. */
  readonly base: string | null;
  /** Names of the files with the commands since, oldest first. */
  readonly incremental: readonly string[];
}

/** With its line end; MANIFEST_MAX_LINE of aof.c. */
const LONGEST_LINE = 1024;

interface ManifestLine {
  name: string;
  sequence: number;
  type: string;
}

/**
 * @param bytes the whole manifest.
 * @param path of the manifest, for messages.
 * @throws FerryError `manifest` with the line that is wrong.
 */
export function parseManifest(bytes: Buffer, path: string): AofManifest {
  // One character for each byte: names are put together from escapes byte by byte.
  const lines = bytes.toString('latin1').split('\n');
  const cutLine = lines.pop() ?? '';
  if (cutLine !== '') lines.push(cutLine);
  if (lines.length === 0) throw new FerryError(`The AOF manifest ${path} is empty.`, { code: 'manifest' });
  let base: string | null = null;
  const incremental: string[] = [];
  let lastSequence = 0;
  lines.forEach((text, index) => {
    const wrong = (what: string) =>
      new FerryError(`The AOF manifest ${path} is wrong in line ${index + 1}: ${what}.`, { code: 'manifest' });
    const cut = index === lines.length - 1 && cutLine !== '';
    if (text.length + (cut ? 0 : 1) > LONGEST_LINE) throw wrong(`it is longer than ${LONGEST_LINE} bytes`);
    if (text.startsWith('#')) return;
    if (cut) throw wrong('it has no line end, so the manifest was cut');
    if (text.includes('\0')) throw wrong('it holds a zero byte');
    const { name, sequence, type } = parseLine(text, wrong);
    if (type === 'b') {
      if (base !== null) throw wrong(`it names a second base file (${name}), the first is ${base}`);
      base = name;
    } else if (type === 'i') {
      if (sequence <= lastSequence)
        throw wrong(`the sequence number ${sequence} does not follow ${lastSequence}, so the order is not known`);
      lastSequence = sequence;
      incremental.push(name);
    } else if (type !== 'h') {
      throw wrong(`a file of type ${type} is not known (b, i and h are)`);
    }
  });
  return { base, incremental };
}

/** `file NAME seq NUMBER type LETTER`, in any order, and pairs that newer servers may add. */
function parseLine(text: string, wrong: (what: string) => FerryError): ManifestLine {
  const words = splitArguments(text.replace(/^[ \t\r]+|[ \t\r]+$/g, ''));
  if (words === null) throw wrong('its quotes are not closed');
  if (words.length < 6 || words.length % 2 === 1) {
    throw wrong('it is not made of pairs like "file NAME seq NUMBER type LETTER"');
  }
  const line: ManifestLine = { name: '', sequence: 0, type: '' };
  for (let i = 0; i < words.length; i += 2) {
    const value = words[i + 1] as string;
    switch ((words[i] as string).toLowerCase()) {
      case 'file':
        if (/[/\\]/.test(value)) throw wrong('the file is a path, where a mere name is allowed');
        line.name = Buffer.from(value, 'latin1').toString();
        break;
      case 'seq':
        line.sequence = leadingInteger(value);
        break;
      case 'type':
        line.type = value.slice(0, 1);
        break;
    }
  }
  if (line.name === '' || line.sequence === 0 || line.type === '') {
    throw wrong('a file needs a name, a sequence number other than 0 and a type');
  }
  return line;
}

/** As atoll reads it. */
function leadingInteger(text: string): number {
  return Number(/^\s*([+-]?\d+)/.exec(text)?.[1] ?? 0);
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', a: '\x07' };

/** Words as sdssplitargs of sds.c cuts them: "with escapes", 'with \' only', or bare; null when a quote is not closed. */
function splitArguments(text: string): string[] | null {
  const words: string[] = [];
  let at = 0;
  for (;;) {
    while (isSpace(text[at])) at++;
    if (at >= text.length) return words;
    let word = '';
    while (at < text.length && !isSpace(text[at])) {
      const sign = text[at] as string;
      if (sign !== '"' && sign !== "'") {
        word += sign;
        at++;
        continue;
      }
      const quoted = sign === '"' ? doubleQuoted(text, at + 1) : singleQuoted(text, at + 1);
      // A closing quote ends the word.
      if (quoted === null || (quoted.next < text.length && !isSpace(text[quoted.next]))) return null;
      word += quoted.word;
      at = quoted.next;
    }
    words.push(word);
  }
}

interface Quoted {
  readonly word: string;
  /** Behind the closing quote. */
  readonly next: number;
}

function doubleQuoted(text: string, from: number): Quoted | null {
  let word = '';
  let at = from;
  while (at < text.length) {
    const sign = text[at] as string;
    if (sign === '"') return { word, next: at + 1 };
    const hex = /^\\x([0-9a-fA-F]{2})/.exec(text.slice(at, at + 4));
    if (hex !== null) {
      word += String.fromCharCode(Number.parseInt(hex[1] as string, 16));
      at += 4;
    } else if (sign === '\\' && at + 1 < text.length) {
      const escaped = text[at + 1] as string;
      word += ESCAPES[escaped] ?? escaped;
      at += 2;
    } else {
      word += sign;
      at++;
    }
  }
  return null;
}

function singleQuoted(text: string, from: number): Quoted | null {
  let word = '';
  let at = from;
  while (at < text.length) {
    if (text[at] === "'") return { word, next: at + 1 };
    if (text.startsWith("\\'", at)) at++;
    word += text[at] as string;
    at++;
  }
  return null;
}

/** isspace of the C locale, without the line feed that ends a line here. */
function isSpace(sign: string | undefined): boolean {
  return sign !== undefined && ' \t\r\v\f'.includes(sign);
}
