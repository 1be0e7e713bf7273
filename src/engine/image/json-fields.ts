/** Readers of parsed JSON from outside: each answers the value if it has the type, else the fallback or null. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The parsed text; null where it is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export function objectIn(from: JsonObject, key: string): JsonObject | null {
  const value = Object.hasOwn(from, key) ? from[key] : null;
  return isObject(value) ? value : null;
}

export function textIn(from: JsonObject, key: string): string {
  const value = Object.hasOwn(from, key) ? from[key] : null;
  return typeof value === 'string' ? value : '';
}

export function numberIn(from: JsonObject, key: string): number {
  const value = Object.hasOwn(from, key) ? from[key] : null;
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

export function listIn(from: JsonObject, key: string): readonly unknown[] | null {
  const value = Object.hasOwn(from, key) ? from[key] : null;
  return Array.isArray(value) ? value : null;
}

export function textsIn(from: JsonObject, key: string): readonly string[] {
  return (listIn(from, key) ?? []).filter((one) => typeof one === 'string');
}

/** The names of a set written as an object: `{"80/tcp": {}}`. */
export function namesIn(from: JsonObject, key: string): readonly string[] {
  return Object.keys(objectIn(from, key) ?? {}).sort();
}

export function textMapIn(from: JsonObject, key: string): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(objectIn(from, key) ?? {}).filter((pair): pair is [string, string] => typeof pair[1] === 'string'));
}
