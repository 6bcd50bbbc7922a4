// Asks every check before a run begins. Reads only; a check that cannot be asked is told as such and stops nothing.
import type { Reader } from '../config/reader.ts';
import { messageOf } from '../engine/errors.ts';
import { warn } from './answers.ts';
import type { Check, Finding, PreflightContext, Verdict } from './check.ts';
import { databases } from './checks/databases.ts';
import { exactlyOnce } from './checks/exactly-once.ts';
import { keyspaceEvents } from './checks/keyspace-events.ts';
import { openSlots } from './checks/open-slots.ts';
import { sameServer } from './checks/same-server.ts';
import { scanPermission } from './checks/scan-permission.ts';
import { sourceBuffer } from './checks/source-buffer.ts';
import { sourceBusy } from './checks/source-busy.ts';
import { sourcePermission } from './checks/source-permission.ts';
import { sourceReplicas } from './checks/source-replicas.ts';
import { sourceScripts } from './checks/source-scripts.ts';
import { targetEmpty } from './checks/target-empty.ts';
import { targetMemory } from './checks/target-memory.ts';
import { targetPermission } from './checks/target-permission.ts';
import { targetRole } from './checks/target-role.ts';
import { versions } from './checks/versions.ts';
import { type PreflightOrder, withContext } from './context.ts';
import { NOT_ASKED } from './sentences.ts';

/** What a check looks at: it is left out when that side is a file; one that is for a reader, with the other. */
type Needs = 'source' | 'target' | 'both';

/** In the order in which they are told: what would refuse the run comes first. */
const CHECKS: readonly (readonly [check: Check, needs: Needs, reader?: Reader])[] = [
  [sameServer, 'both'],
  [targetRole, 'target'],
  [databases, 'both'],
  [openSlots, 'target'],
  [sourcePermission, 'source', 'sync'],
  [scanPermission, 'source', 'scan'],
  [keyspaceEvents, 'source', 'scan'],
  [targetPermission, 'target'],
  [exactlyOnce, 'target'],
  [targetEmpty, 'target'],
  [targetMemory, 'both'],
  [versions, 'both'],
  [sourceReplicas, 'source', 'sync'],
  [sourceBuffer, 'source', 'sync'],
  [sourceScripts, 'source', 'sync'],
  [sourceBusy, 'source', 'sync'],
];

export interface PreflightReport {
  readonly findings: readonly Finding[];
  /** The gravest verdict of all. */
  readonly worst: Verdict;
}

/** Connects to all nodes and asks everything. @throws FerryError when a node cannot be reached. */
export async function runPreflight(order: PreflightOrder): Promise<PreflightReport> {
  return withContext(order, async (context) => {
    const findings: Finding[] = [];
    const there = { source: order.source !== null, target: order.target !== null };
    const { reader = 'sync' } = order;
    for (const [check, needs, only = reader] of CHECKS) {
      if (only !== reader) continue;
      const answerable = needs === 'both' ? there.source && there.target : there[needs];
      if (answerable) findings.push(await runCheck(check, context));
    }
    return { findings, worst: worstOf(findings) };
  });
}

async function runCheck(check: Check, context: PreflightContext): Promise<Finding> {
  const { id, question } = check;
  try {
    return { id, question, ...(await check.run(context)) };
  } catch (thrown) {
    return { id, question, ...warn(NOT_ASKED.evidence(`${messageOf(thrown)}.`), NOT_ASKED.remedy) };
  }
}

function worstOf(findings: readonly Finding[]): Verdict {
  const has = (verdict: Verdict): boolean => findings.some((finding) => finding.verdict === verdict);
  if (has('refuse')) return 'refuse';
  return has('warn') ? 'warn' : 'ok';
}

const VERDICT_WIDTH = 'refuse'.length;

/** The report as plain text: a line for each question and its evidence, a second one where there is something to do. */
export function findingLines({ findings, worst }: PreflightReport): readonly string[] {
  const lines = findings.flatMap(({ verdict, question, evidence, remedy }) => [
    `${verdict.padEnd(VERDICT_WIDTH)}  ${question} ${evidence}`,
    ...(remedy === '' ? [] : [`${' '.repeat(VERDICT_WIDTH)}  ${remedy}`]),
  ]);
  return [...lines, SUMMARY[worst]];
}

const SUMMARY: Readonly<Record<Verdict, string>> = {
  ok: 'Nothing stands against a migration.',
  warn: 'A migration can begin; read the warnings first.',
  refuse: 'A migration would be refused.',
};
