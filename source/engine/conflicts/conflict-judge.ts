// Says what becomes of a snapshot key that the target has already: the policy in force decides, or the person is asked.
// One question at a time; a change of the policy answers the open one.
import type { ConflictDecision, ConflictPolicy, ConflictQuestion } from '../contract/conflict.ts';

/** defer: put aside until the snapshot is through; panic: nobody can be asked, and the run ends. */
export type Judgement = 'rewrite' | 'ignore' | 'defer' | 'panic';

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
export type QuestionText = DistributiveOmit<ConflictQuestion, 'number'>;

/** Answers that a question takes; `again`: the policy has changed, look at it once more. */
type Answer = ConflictDecision | 'again';

export class ConflictJudge {
  /** Keys are put aside; asked for when the snapshot is through. */
  collecting = false;
  /** What the person is being asked. */
  question: ConflictQuestion | null = null;
  #policy: ConflictPolicy;
  readonly #asks: boolean;
  readonly #onQuestion: () => void;
  #numbers = 0;
  #open: { readonly resolve: (answer: Answer) => void; readonly promise: Promise<Answer> } | null = null;

  /**
   * @param asks somebody is there to be asked: panic halts the shard instead of ending the run.
   * @param onQuestion called whenever a question has been opened.
   */
  constructor(policy: ConflictPolicy, asks: boolean, onQuestion: () => void) {
    this.#policy = policy;
    this.#asks = asks;
    this.#onQuestion = onQuestion;
  }

  get policy(): ConflictPolicy {
    return this.#policy;
  }

  set policy(policy: ConflictPolicy) {
    this.#policy = policy;
    this.collecting = false;
    this.#open?.resolve('again');
  }

  /** @returns false when that question is not open any more. */
  answer(question: number, decision: ConflictDecision): boolean {
    if (this.question === null || this.question.number !== question) return false;
    const fits = this.question.kind === 'key' ? decision !== 'one-by-one' : decision !== 'compare';
    if (!fits) return false;
    this.#open?.resolve(decision);
    return true;
  }

  /**
   * @param describe both sides, for the person.
   * @param mayDefer the key can be put aside.
   */
  async judge(describe: () => Promise<QuestionText>, mayDefer: boolean): Promise<Judgement> {
    for (;;) {
      if (this.#policy !== 'panic') return this.#policy;
      if (this.collecting && mayDefer) return 'defer';
      if (!this.#asks) return 'panic';
      switch (await this.ask(describe)) {
        case 'rewrite':
          return 'rewrite';
        case 'ignore':
          return 'ignore';
        case 'compare':
          this.collecting = true;
          // A value that can not be put aside is asked for once more, with the choice that is left.
          break;
        case 'one-by-one':
        case 'again':
          break;
      }
    }
  }

  /** Asks when no other question is open; `again` when one was, or the policy has changed meanwhile. */
  async ask(describe: () => Promise<QuestionText>): Promise<Answer> {
    if (this.#open !== null) {
      await this.#open.promise;
      return 'again';
    }
    const open = Promise.withResolvers<Answer>();
    this.#open = open;
    try {
      const text = await describe();
      this.question = { ...text, number: ++this.#numbers };
      this.#onQuestion();
      return await open.promise;
    } finally {
      this.#open = null;
      this.question = null;
      // Also when `describe` failed: whoever waits for its turn must not wait for ever.
      open.resolve('again');
    }
  }
}
