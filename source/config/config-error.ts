// Every mistake in a configuration ends the program in the same way.
import { EXIT, FerryError } from '../engine/errors.ts';

/** One sentence; never with a secret in it. */
export function configError(message: string): FerryError {
  return new FerryError(message, { code: 'config', exitCode: EXIT.usage });
}
