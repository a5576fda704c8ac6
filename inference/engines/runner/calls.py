"""The system calls that a shut-in process may not make, as a program for the kernel's filter (seccomp, classic BPF)."""

from __future__ import annotations

import errno
import struct

_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # linux/audit.h
# Refused whoever asks, by their numbers on x86-64 and ARM64; 0 where there is none.
_REFUSED = {
    # sockets: what it has were opened by its parent
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    "accept": (43, 202), "accept4": (288, 242), "sendmsg": (46, 211), "recvmsg": (47, 212), "sendmmsg": (307, 269),
    "recvmmsg": (299, 243), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    # programs and other processes
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, 0), "vfork": (58, 0), "ptrace": (101, 117),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "tkill": (200, 130), "kcmp": (312, 272),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "process_madvise": (440, 440),
    # memory and queues beside its own limits
    "memfd_create": (319, 279), "shmget": (29, 194), "shmat": (30, 196), "msgget": (68, 186), "semget": (64, 190),
    "mq_open": (240, 180), "userfaultfd": (323, 282),
    # what Landlock leaves open: modes, owners, times and attributes of files
    "chmod": (90, 0), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, 0),
    "fchown": (93, 55), "lchown": (94, 0), "fchownat": (260, 54), "utime": (132, 0), "utimes": (235, 0),
    "futimesat": (261, 0), "utimensat": (280, 88), "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264),
    # the machine itself
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431),
    "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442), "bpf": (321, 280),
    "perf_event_open": (298, 241), "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225),
    "personality": (135, 92), "fanotify_init": (300, 262), "syslog": (103, 116), "acct": (163, 89), "quotactl": (179, 60),
}  # fmt: skip
_CLONE, _CLONE3, _CLONE_THREAD = (56, 220), 435, 0x10000
_ON_ITSELF = {
    "kill": (62, 129),
    "tgkill": (234, 131),
    "prlimit64": (302, 261),
}  # allowed where the first word is 0 or itself
_X32 = 0x40000000  # another way to call the same on x86-64

# linux/filter.h
_LOAD, _EQUAL, _AT_LEAST, _HAS_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCH, _FIRST = 0, 4, 16  # offsets in struct seccomp_data
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000


def program(machine: str, pid: int) -> bytes:
    """The filter for this machine and process, eight bytes a step."""
    at = list(_ARCHITECTURE).index(machine)
    refuse = (_RETURN, 0, 0, _ERROR | errno.EPERM)
    allow = (_RETURN, 0, 0, _ALLOW)
    steps = [
        (_LOAD, 0, 0, _ARCH), (_EQUAL, 1, 0, _ARCHITECTURE[machine]), (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER), (_AT_LEAST, 0, 1, _X32), refuse,
    ]  # fmt: skip
    for numbers in _REFUSED.values():
        if numbers[at]:
            steps += [(_EQUAL, 0, 1, numbers[at]), refuse]
    # Without clone3, whose flags no filter can read, threads are made by clone: threads, and nothing else.
    steps += [(_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _ERROR | errno.ENOSYS)]
    steps += [(_EQUAL, 0, 4, _CLONE[at]), (_LOAD, 0, 0, _FIRST), (_HAS_BIT, 1, 0, _CLONE_THREAD), refuse, allow]
    for numbers in _ON_ITSELF.values():
        steps += [
            (_EQUAL, 0, 5, numbers[at]),
            (_LOAD, 0, 0, _FIRST),
            (_EQUAL, 2, 0, pid),
            (_EQUAL, 1, 0, 0),
            refuse,
            allow,
        ]
    steps.append(allow)
    return b"".join(struct.pack("<HBBI", *step) for step in steps)
