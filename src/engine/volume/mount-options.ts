import { AppError } from '../../base/app-error.ts';
import { mountFlags } from '../../os/mount.ts';

/** What a volume's driver options ask to be mounted; null: a plain directory. */
export type VolumeMount = { readonly source: string; readonly type: string; readonly flags: number; readonly data: string };

const flagWords: Readonly<Record<string, number>> = {
  ro: mountFlags.readOnly, nosuid: mountFlags.noSuid, nodev: mountFlags.noDev, noexec: mountFlags.noExec, sync: 16, dirsync: 128, noatime: 1024,
  nodiratime: 2048, relatime: 1 << 21, strictatime: 1 << 24, bind: mountFlags.bind, rbind: mountFlags.bind | mountFlags.recursive,
};
const neutralWords = new Set(['rw', 'suid', 'dev', 'exec', 'async', 'atime', 'defaults']);

/**
 * Reads `type`, `o`, `device` of the local driver, as mount(8) would.
 * Errors: ENGINE_VOLUME_DRIVER for an option that isn't known or a combination that mounts nothing.
 */
export function volumeMount(name: string, options: Readonly<Record<string, string>>): VolumeMount | null {
  for (const key of Object.keys(options)) {
    if (key !== 'type' && key !== 'o' && key !== 'device') {
      throw new AppError({ code: 'ENGINE_VOLUME_DRIVER', message: `volume ${name}: the local driver has no option ${JSON.stringify(key)}`, hint: 'it knows type, o and device' });
    }
  }
  const { type = '', o = '', device = '' } = options;
  if (type === '' && o === '' && device === '') return null;
  const words = o.split(',').filter((word) => word !== '');
  const flags = words.reduce((sum, word) => sum | (Object.hasOwn(flagWords, word) ? (flagWords[word] ?? 0) : 0), 0);
  const isBind = (flags & mountFlags.bind) !== 0;
  if (device === '') throw new AppError({ code: 'ENGINE_VOLUME_DRIVER', message: `volume ${name}: \`device\` is missing`, hint: 'for a tmpfs write device: tmpfs' });
  if (type === '' && !isBind) throw new AppError({ code: 'ENGINE_VOLUME_DRIVER', message: `volume ${name}: \`type\` is missing` });
  if (isBind && !device.startsWith('/')) throw new AppError({ code: 'ENGINE_VOLUME_DRIVER', message: `volume ${name}: device ${JSON.stringify(device)} must be an absolute path to be bound` });
  const data = words.filter((word) => !Object.hasOwn(flagWords, word) && !neutralWords.has(word)).join(',');
  return { source: device, type: isBind ? 'none' : type, flags, data: isBind ? '' : data };
}
