// Lays what the command line says over what the file says, section by section.

export type Section = Readonly<Record<string, unknown>>;

export function isSection(value: unknown): value is Section {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `over` goes before `base`; undefined counts as not said. */
export function mergeSettings(base: Section, over: Section): Section {
  const merged = new Map(Object.entries(base));
  for (const [name, value] of Object.entries(over)) {
    const before = merged.get(name);
    if (value === undefined) continue;
    merged.set(name, isSection(value) && isSection(before) ? mergeSettings(before, value) : value);
  }
  return Object.fromEntries(merged);
}
