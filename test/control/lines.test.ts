import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LineCutter, LineTooLong } from '../../source/control/lines.ts';

test('gives the same lines however the text is cut', () => {
  const line = fc.string({ maxLength: 20 }).map((text) => text.replaceAll('\n', ' '));
  fc.assert(
    fc.property(fc.array(line), line, fc.array(fc.nat({ max: 8 })), (lines, rest, cuts) => {
      const cutter = new LineCutter(20);
      let text = [...lines, rest].join('\n');
      const found: string[] = [];
      for (const length of cuts) {
        found.push(...cutter.take(text.slice(0, length)));
        text = text.slice(length);
      }
      found.push(...cutter.take(text));
      expect(found).toEqual(lines);
    }),
  );
});

test('an endless line is refused before it is held', () => {
  const cutter = new LineCutter(10);
  expect(cutter.take('1234567890')).toEqual([]);
  expect(() => cutter.take('1')).toThrow(LineTooLong);
  expect(() => new LineCutter(10).take('12345678901\nx')).toThrow(LineTooLong);
  expect(new LineCutter(10).take('1234567890\n1234567890\n')).toEqual(['1234567890', '1234567890']);
});
