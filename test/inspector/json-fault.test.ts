import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { jsonFault } from '../../inspector/json-fault.ts';

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe('where a text stops being JSON', () => {
  test('property: of any JSON there is no fault, and of anything else there is one, within it', () => {
    const written = fc
      .json()
      .chain((text) =>
        fc.tuple(
          fc.constant(text),
          fc.nat(text.length),
          fc.constantFrom(...'{}[]",:0-.e\\ntf\u0001\u007f\ud800\'x \n'.split('')),
        ),
      );
    const texts = fc.oneof(
      fc.json(),
      fc.string(),
      written.map(([text, at, character]) => text.slice(0, at) + character + text.slice(at)),
      written.map(([text, at]) => text.slice(0, at) + text.slice(at + 1)),
      fc.jsonValue().map((value) => JSON.stringify(value, null, 2)),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const fault = jsonFault(text);
        expect(fault === undefined).toBe(isJson(text));
        if (fault === undefined) return;
        const line = text.split('\n')[fault.line - 1];
        expect(line).toBeDefined();
        expect(fault.column).toBeLessThanOrEqual(line!.length + 1);
      }),
      { numRuns: 2_000 },
    );
  });

  test('nesting without end is no end of it', () => {
    expect(jsonFault('['.repeat(200_000))).toMatchObject({ line: 1, column: 200_001 });
    expect(jsonFault(`${'[{"a":'.repeat(50_000)}1${'}]'.repeat(50_000)}`)).toBeUndefined();
  });

  test.each([
    ['{\n  "to": "a",\n  "n": oops\n}', 3, 8, 'Expected a value, but there is oops'],
    ['{ "to": ', 1, 9, 'Expected a value, but the text ends'],
    ["{ 'to': 1 }", 1, 3, "Expected a name in double quotes, but there is ' (texts are in double quotes)"],
    ['{ "to" 1 }', 1, 8, 'Expected a colon, but there is 1'],
    ['{ "to": 1 "cc": 2 }', 1, 11, 'Expected a comma or }, but there is "'],
    ['[1, 2', 1, 6, 'Expected a comma or ], but the text ends'],
    ['[1,]', 1, 4, 'Expected a value, but there is ]'],
    ['"a\\x"', 1, 3, 'Expected an escape such as \\n or \\\\, but there is \\'],
    ['"a\nb"', 1, 3, 'Expected the end of the text in double quotes, but there is a line break'],
    ['1 2', 1, 3, 'Expected nothing more, but there is 2'],
    [' \n', 1, 1, 'This is empty: an input is JSON, such as null'],
  ])('of %j it is in line %d, column %d: %s', (text, line, column, message) => {
    expect(jsonFault(text)).toMatchObject({ message, line, column });
  });
});
