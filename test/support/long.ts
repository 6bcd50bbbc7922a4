// Tests that try more the longer they run have two lengths: `npm test` takes the short one, REDFERRY_LONG=1 the other.

/** Whether the long forms were asked for. */
export const LONG = process.env['REDFERRY_LONG'] !== undefined;

/** @returns the amount for the form that runs. */
export function shortOrLong(short: number, long: number): number {
  return LONG ? long : short;
}
