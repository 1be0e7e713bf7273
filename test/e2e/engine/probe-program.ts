import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** One system call by name, with arguments that would succeed for root on the host or fail for them, never for a filter. */
const source = String.raw`
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
static long call(const char *n) {
  static char zero[256];
  struct timespec now; struct timeval tv;
#define IS(x) (!strcmp(n, x))
  if (IS("mount")) return syscall(SYS_mount, "tmpfs", "/tmp", "tmpfs", 0, "");
  if (IS("umount2")) return syscall(SYS_umount2, "/dev/shm", 0);
  if (IS("pivot_root")) return syscall(SYS_pivot_root, "/tmp", "/tmp");
  if (IS("unshare_user")) return syscall(SYS_unshare, CLONE_NEWUSER);
  if (IS("unshare_mnt")) return syscall(SYS_unshare, CLONE_NEWNS);
  if (IS("setns")) { int fd = open("/proc/self/ns/mnt", O_RDONLY); return syscall(SYS_setns, fd, 0); }
  if (IS("clone3")) return syscall(SYS_clone3, zero, 64);
  if (IS("clone_newuser")) return syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
  if (IS("bpf")) return syscall(SYS_bpf, 0, zero, 64);
  if (IS("perf_event_open")) return syscall(SYS_perf_event_open, zero, 0, -1, -1, 0);
  if (IS("kexec_load")) return syscall(SYS_kexec_load, 0, 0, 0, 0);
  if (IS("init_module")) return syscall(SYS_init_module, zero, 1, "");
  if (IS("finit_module")) return syscall(SYS_finit_module, 0, "", 0);
  if (IS("delete_module")) return syscall(SYS_delete_module, "nothing", O_NONBLOCK);
  if (IS("reboot")) return syscall(SYS_reboot, 0xfee1dead, 672274793, 0, 0);
  if (IS("settimeofday")) { gettimeofday(&tv, 0); return syscall(SYS_settimeofday, &tv, 0); }
  if (IS("clock_settime")) { clock_gettime(CLOCK_REALTIME, &now); return syscall(SYS_clock_settime, CLOCK_REALTIME, &now); }
  if (IS("add_key")) return syscall(SYS_add_key, "user", "probe", "x", 1, -3);
  if (IS("keyctl")) return syscall(SYS_keyctl, 0, -3, 0, 0, 0);
  if (IS("request_key")) return syscall(SYS_request_key, "user", "probe", 0, -3);
  if (IS("userfaultfd")) return syscall(SYS_userfaultfd, 0);
  if (IS("io_uring_setup")) return syscall(SYS_io_uring_setup, 1, zero);
  if (IS("open_by_handle_at")) return syscall(SYS_open_by_handle_at, AT_FDCWD, zero, 0);
  if (IS("swapon")) return syscall(SYS_swapon, "/tmp/none", 0);
  if (IS("acct")) return syscall(SYS_acct, 0);
  if (IS("quotactl")) return syscall(SYS_quotactl, 0, 0, 0, 0);
  if (IS("syslog")) return syscall(SYS_syslog, 10, 0, 0);
#ifdef SYS_iopl
  if (IS("iopl")) return syscall(SYS_iopl, 3);
  if (IS("ioperm")) return syscall(SYS_ioperm, 0x80, 1, 1);
#else
  if (IS("iopl") || IS("ioperm")) { errno = ENOSYS; return -1; }
#endif
  if (IS("fsopen")) return syscall(430, "tmpfs", 0);
  if (IS("open_tree")) return syscall(428, AT_FDCWD, "/", 0);
  if (IS("move_mount")) return syscall(429, -1, "", -1, "", 0);
  if (IS("mount_setattr")) return syscall(442, -1, "", 0, zero, 32);
  if (IS("socket_alg")) return socket(38, SOCK_SEQPACKET, 0);
  if (IS("socket_vsock")) return socket(40, SOCK_STREAM, 0);
  if (IS("socket_raw")) return socket(AF_INET, SOCK_RAW, 1);
  if (IS("mknod_disk")) return mknod("/tmp/probe-disk", S_IFBLK | 0600, makedev(254, 0));
#ifdef SYS_nfsservctl
  if (IS("nfsservctl")) return syscall(SYS_nfsservctl, 0, 0, 0);
#else
  if (IS("nfsservctl")) { errno = ENOSYS; return -1; }
#endif
#ifdef SYS_lookup_dcookie
  if (IS("lookup_dcookie")) return syscall(SYS_lookup_dcookie, 0, zero, 16);
#endif
  if (IS("vhangup")) return syscall(SYS_vhangup);
  if (IS("pidfd_getfd")) return syscall(438, -1, 0, 0);
  if (IS("sethostname")) return syscall(SYS_sethostname, "x", 1);
  if (IS("fanotify_init")) return syscall(SYS_fanotify_init, 0, 0);
  if (IS("personality_odd")) return syscall(SYS_personality, 0x0040000);
  if (IS("mbind")) return syscall(SYS_mbind, 0, 0, 0, 0, 0, 0);
  if (IS("kcmp")) return syscall(SYS_kcmp, getpid(), getpid(), 99, 0, 0);
  errno = 0; return -2;
}
int main(int argc, char **argv) {
  long got = call(argv[1]);
  if (got == 0 && !strcmp(argv[1], "clone_newuser")) _exit(0);
  if (got == -2) printf("UNKNOWN PROBE\n");
  else if (got >= 0) printf("OK\n");
  else printf("%s\n", errno == EPERM ? "EPERM" : errno == EACCES ? "EACCES" : errno == ENOSYS ? "ENOSYS" : strerror(errno));
  return 0;
}
`;

/** Compiles the probe, static, with the C compiler of the machine. */
export function probeProgram(dir: string): string {
  const path = join(dir, 'probe');
  writeFileSync(`${path}.c`, source);
  try {
    execFileSync('cc', ['-static', '-O1', '-w', '-o', path, `${path}.c`], { stdio: 'pipe' });
  } catch (error) {
    throw new Error('the probes of system calls need a C compiler: apt-get install gcc libc6-dev', { cause: error });
  }
  return path;
}
