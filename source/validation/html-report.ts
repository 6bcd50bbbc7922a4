// The outcome of a comparison as one HTML page without anything from elsewhere, to attach to a ticket. Everything that came
// from a server is escaped: key names are written by strangers.

import type { SideLine } from './both-sides.ts';
import { differenceLine } from './difference-file.ts';
import type { Difference } from './report.ts';
import type { ValidateResult } from './validate-result.ts';
import { exact, percent } from './verdict.ts';

export interface PageSubject {
  readonly run: string;
  readonly source: string;
  readonly target: string;
  readonly finishedAt: Date;
  readonly result: ValidateResult;
  /** Those that were kept; there may be more. */
  readonly differences: readonly Difference[];
  /** What both sides have of the first of them, in the same order. */
  readonly bothSides: readonly (readonly SideLine[])[];
}

const STYLE = `
body { font: 14px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em; color: #1b1f24; background: #fff }
h1 { font-size: 1.3em } h2 { font-size: 1.1em; margin-top: 2em }
.verdict { padding: .8em 1em; border-left: .4em solid; font-size: 1.1em }
.equal { border-color: #1a7f37; background: #eaf7ee } .different { border-color: #b42318; background: #fdecea }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .3em .6em; border-bottom: 1px solid #d8dee4; vertical-align: top }
td.number { text-align: right; font-variant-numeric: tabular-nums } code, pre { font-size: .92em; overflow-wrap: anywhere; white-space: pre-wrap }
@media (prefers-color-scheme: dark) { body { color: #e6edf3; background: #0d1117 } .equal { background: #12261e } .different { background: #2d1513 } th, td { border-color: #30363d } }
`;

/** The whole page. */
export function htmlReport(subject: PageSubject): string {
  const { result, run, source, target, finishedAt } = subject;
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>redferry validate ${escaped(run)}: ${result.outcome}</title><style>${STYLE}</style></head><body>`,
    `<h1>redferry validate: <code>${escaped(source)}</code> against <code>${escaped(target)}</code></h1>`,
    `<p class="verdict ${result.outcome}">${result.outcome === 'equal' ? '&#10003; Equal.' : '&#10007; Different.'} ${escaped(result.verdict)}</p>`,
    `<p>${escaped(summary(subject))}</p>`,
    counts(result),
    shards(result),
    types(result),
    differences(subject),
    result.notes.length === 0
      ? ''
      : `<h2>Notes</h2><ul>${result.notes.map((note) => `<li>${escaped(note)}</li>`).join('')}</ul>`,
    `<p>Run ${escaped(run)}, finished <time>${finishedAt.toISOString()}</time>.</p>`,
    '</body></html>',
    '',
  ].join('\n');
}

function summary({ result }: PageSubject): string {
  const how = result.mode === 'full' ? 'Every key was compared.' : `A sample was compared (seed ${result.seed ?? 0}).`;
  const extras =
    result.targetChecked === null
      ? 'Keys that are only on the target were not looked for.'
      : `${exact(result.targetChecked)} keys of the target were looked for on the source.`;
  return `${how} ${extras} It took ${result.seconds.toFixed(1)} s.`;
}

function counts(result: ValidateResult): string {
  const { equal, missing, extra, type, value, ttl, unstable, expiring, skipped } = result;
  const rows = Object.entries({ equal, missing, extra, type, value, ttl, unstable, expiring, skipped });
  const body = rows.map(([name, count]) => `<tr><td>${name}</td>${number(exact(count))}</tr>`);
  return `<h2>Keys</h2>${table(['what', 'keys'], body)}`;
}

function shards(result: ValidateResult): string {
  const body = result.shards.map(
    ({ side, address, keys, looked, different, bound }) =>
      `<tr><td>${side}</td><td><code>${escaped(address)}</code></td>${number(exact(keys))}${number(exact(looked))}${number(exact(different))}${number(bound === null ? '' : percent(bound.fraction))}</tr>`,
  );
  return `<h2>Shards</h2>${table(['side', 'address', 'keys', 'looked at', 'different', 'at most different'], body)}`;
}

function types(result: ValidateResult): string {
  const body = Object.entries(result.types).map(
    ([type, { checked, different, fraction }]) =>
      `<tr><td>${escaped(type)}</td>${number(exact(checked))}${number(exact(different))}${number(percent(fraction))}</tr>`,
  );
  return `<h2>Types</h2>${table(['type', 'checked', 'different', 'at most different'], body)}`;
}

function differences({ result, differences: kept, bothSides }: PageSubject): string {
  if (kept.length === 0) return '';
  const more = result.different - kept.length;
  const body = kept.map((difference, index) => {
    const { database, key, keyBase64, type, aspects, detail } = differenceLine(difference);
    const base64 = keyBase64 === null ? '' : ` (base64 ${keyBase64})`;
    return `<tr>${number(String(database))}<td><code>${escaped(key)}${base64}</code></td><td>${escaped(type)}</td><td>${aspects.join(', ')}</td><td>${escaped(detail)}${diff(bothSides[index] ?? [])}</td></tr>`;
  });
  const rest = more > 0 ? `<p>and ${exact(more)} more.</p>` : '';
  return `<h2>Differences</h2>${table(['db', 'key', 'type', 'aspects', 'source, and on the target'], body)}${rest}`;
}

/** Lines that only one side has, folded away. */
function diff(lines: readonly SideLine[]): string {
  if (lines.length === 0) return '';
  const rows = lines.map(({ side, text }) => `${side === 'source' ? '-' : '+'} ${escaped(text)}`);
  return `<details><summary>both sides</summary><pre>${rows.join('\n')}</pre><p>- source, + target</p></details>`;
}

function table(heads: readonly string[], rows: readonly string[]): string {
  return `<table><thead><tr>${heads.map((head) => `<th>${head}</th>`).join('')}</tr></thead><tbody>${rows.join('\n')}</tbody></table>`;
}

function number(text: string): string {
  return `<td class="number">${text}</td>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  const visible = text.replace(/[^\P{Cc}\n\t]/gu, '\ufffd');
  return visible.replace(/[&<>"']/g, (sign) => ENTITIES[sign] ?? sign);
}
