/**
 * Text that came from a file, an image or a registry, for a terminal: control characters (but line breaks and tabs) are shown, not
 * obeyed, so that no name or message can move the cursor, rename the window or hide what follows. The output of containers is theirs.
 */
export function plainText(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
