// `npm run test:million` sets it: how many equal keys the tests of the comparison plant their faults among. Without it each test
// has a number of its own that takes seconds.
const given = process.env['REDFERRY_EQUAL_KEYS'];

export const EQUAL_KEYS: number | null = given === undefined ? null : Number(given);
