// Whoever keeps the target equal to the source, as the harness sees it.

export interface EngineUnderTest {
  /** Copies what is there when it starts. One that does not has to be there before the first write. */
  readonly copies: boolean;
  /** Resolves once it follows the source. @throws Error when it ended or needs too long. */
  start(): Promise<void>;
  /** Why it ended by itself; null while it runs or was ended by the harness. */
  readonly failure: string | null;
  /** Follows every shard of the source, by what it says after this moment (unix ms). */
  streaming(sinceMs: number): boolean | Promise<boolean>;
  /** Has nothing left to apply, by what it says after this moment. The load has ended. */
  settled(sinceMs: number): boolean | Promise<boolean>;
  /** Ends it in order. Gives what is wrong with its end, or null. */
  stop(): Promise<string | null>;
  /** Ends whatever is left of it; harmless when repeated. */
  dispose(): Promise<void>;
  /** The process that can be crashed and frozen; null where there is none. */
  readonly process: EngineProcess | null;
}

export interface EngineProcess {
  readonly pid: number;
  /** SIGKILL; resolves when it is gone. */
  crash(): Promise<void>;
  /** The same command again, told to resume where the program can. Does not wait for anything. */
  again(): void;
  signal(name: 'SIGSTOP' | 'SIGCONT'): void;
}
