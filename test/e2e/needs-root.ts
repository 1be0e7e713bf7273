/** Nothing is skipped in silence: without root the run ends here, and says why. */
export default function needsRoot(): void {
  if (process.getuid?.() !== 0) throw new Error('the end-to-end tests make namespaces, mounts and control groups: run them as root (sudo make e2e)');
}
