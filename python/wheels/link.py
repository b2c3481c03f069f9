"""Writes what a linker needs in place of a C toolchain: libraries that are nothing but lists of symbols, and an object.

A cell's library takes everything that it needs of the C library from the process that loads it. To the linker it is
enough to know which symbols there are, and in which version an old C library has them.
"""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from pathlib import Path

# The C library that PyTorch's own wheels ask for (manylinux_2_28).
GLIBC = (2, 28)
# The libraries, and the newest version of each that is named.
LIBRARIES = {"libc.so.6": GLIBC, "libm.so.6": GLIBC, "libgcc_s.so.1": (8,)}
# What rustc names besides: it is all in the C library by now, or was never needed.
EMPTY = ["libdl.a", "libpthread.a", "librt.a", "libutil.a"]

# What a destructor at the end of a thread or of the process is registered with.
START = """
.hidden __dso_handle
.globl __dso_handle
.data
.balign 8
__dso_handle: .quad __dso_handle
.section .note.GNU-stack,"",@progbits
"""

# What a program begins with: calls the C library's start with `main`, and with what runs the constructors, which an old
# C library does not do by itself.
PROGRAM = """
.globl _start
.text
_start:
    xorl %ebp, %ebp
    movq %rdx, %r9
    popq %rsi
    movq %rsp, %rdx
    andq $-16, %rsp
    pushq %rax
    pushq %rsp
    xorl %r8d, %r8d
    leaq constructors(%rip), %rcx
    movq main@GOTPCREL(%rip), %rdi
    call *__libc_start_main@GOTPCREL(%rip)
    hlt
constructors:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    movl %edi, %r12d
    movq %rsi, %r13
    movq %rdx, %r14
    leaq __init_array_start(%rip), %rbx
    leaq __init_array_end(%rip), %rbp
1:  cmpq %rbp, %rbx
    je 2f
    movl %r12d, %edi
    movq %r13, %rsi
    movq %r14, %rdx
    call *(%rbx)
    addq $8, %rbx
    jmp 1b
2:  popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.hidden __init_array_start
.hidden __init_array_end
.section .note.GNU-stack,"",@progbits
"""

# What an old C library has in no shared library. What looks at files it has under other names, with the version of the
# structure (1) in front.
BESIDE = """
.macro forward name, target
.globl \\name
.hidden \\name
\\name:
    movq %rcx, %r8
    movq %rdx, %rcx
    movq %rsi, %rdx
    movq %rdi, %rsi
    movl $1, %edi
    jmp \\target@PLT
.endm
.text
forward stat, __xstat
forward lstat, __lxstat
forward fstat, __fxstat
forward fstatat, __fxstatat
forward stat64, __xstat64
forward lstat64, __lxstat64
forward fstat64, __fxstat64
forward fstatat64, __fxstatat64
.globl atexit
.hidden atexit
atexit:
    leaq __dso_handle(%rip), %rdx
    xorl %esi, %esi
    jmp __cxa_atexit@PLT
.globl pthread_atfork
.hidden pthread_atfork
pthread_atfork:
    leaq __dso_handle(%rip), %rcx
    jmp __register_atfork@PLT
.hidden __dso_handle
.section .note.GNU-stack,"",@progbits
"""

# Stands in for a C compiler where rustc calls one to link programs of crates: their build scripts and macros.
DRIVER = """\
#!/bin/sh
# Links as `cc` does, with the linker of the Rust toolchain beside this folder.
here=$(cd "$(dirname "$0")" && pwd)
kind=program
count=$#
while [ "$count" -gt 0 ]; do
    argument=$1
    shift
    count=$((count - 1))
    case $argument in
        -m64 | -nodefaultlibs | -nostartfiles | -fuse-ld=* | -B* | -no-pie) ;;
        -shared)
            kind=library
            set -- "$@" "$argument" ;;
        -pie | -static-pie) set -- "$@" -pie ;;
        -rdynamic) set -- "$@" --export-dynamic ;;
        -Xlinker)
            set -- "$@" "$1"
            shift
            count=$((count - 1)) ;;
        -Wl,*)
            rest=${argument#-Wl,}
            while [ -n "$rest" ]; do
                set -- "$@" "${rest%%,*}"
                case $rest in *,*) rest=${rest#*,} ;; *) rest= ;; esac
            done ;;
        *) set -- "$@" "$argument" ;;
    esac
done
if [ "$kind" = program ]; then
    set -- "$here/program.o" "$@" --dynamic-linker /lib64/ld-linux-x86-64.so.2
fi
exec "$here"/../toolchain/lib/rustlib/*/bin/rust-lld -flavor gnu --eh-frame-hdr "$here/start.o" "$here/beside.o" "$@" -L "$here" -lc
"""

# Stand in for a C compiler where pip's `ziglang` is installed in the same Python. It names targets in its own way.
PIPS_COMPILERS = {
    "zig-cc": """\
#!/bin/sh
# A C compiler for crates that contain C: pip's `ziglang`.
for argument do
    shift
    case $argument in
        --target=*) ;;
        *) set -- "$@" "$argument" ;;
    esac
done
exec "$(dirname "$0")/../../ziglang/zig" cc -target x86_64-linux-gnu.2.28 "$@"
""",
    "zig-ar": """\
#!/bin/sh
exec "$(dirname "$0")/../../ziglang/zig" ar "$@"
""",
}

SYMBOL = re.compile(r"^(?:[0-9a-f]+)? +(?P<kind>[A-Za-z]) (?P<name>[^@ ]+)@@?(?P<series>[A-Z]+)_(?P<version>[0-9.]+)$")


def write(folder: Path, compiler: str = "cc") -> None:
    """Writes all of it into a folder, from what this machine's C library has."""
    folder.mkdir(parents=True)
    for soname, newest in LIBRARIES.items():
        _write_library(folder, soname, newest, compiler)
    for name in EMPTY:
        (folder / name).write_bytes(b"!<arch>\n")
    _compile(compiler, START, ["-c", "-o", folder / "start.o"])
    _compile(compiler, PROGRAM, ["-c", "-o", folder / "program.o"])
    _compile(compiler, BESIDE, ["-c", "-o", folder / "beside.o"])
    for name, text in {"cc": DRIVER, **PIPS_COMPILERS}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)


def _write_library(folder: Path, soname: str, newest: tuple[int, ...], compiler: str) -> None:
    found = subprocess.run([compiler, f"-print-file-name={soname}"], check=True, capture_output=True, text=True)
    listed = subprocess.run(
        ["nm", "--dynamic", "--defined-only", "--with-symbol-versions", found.stdout.strip()],
        check=True,
        capture_output=True,
        text=True,
    )
    # Of each symbol the newest version that is old enough.
    chosen: dict[str, tuple[tuple[int, ...], str, str]] = {}
    for symbol in filter(None, map(SYMBOL.match, listed.stdout.splitlines())):
        version = tuple(map(int, symbol["version"].split(".")))
        label = f"{symbol['series']}_{symbol['version']}"
        older = chosen.get(symbol["name"])
        if version <= newest and (older is None or version > older[0]):
            chosen[symbol["name"]] = (version, label, symbol["kind"])
    if not chosen:
        raise SystemExit(f"{soname} names no versions of its symbols")
    code, data = [".text"], [".data"]
    by_version: dict[tuple[tuple[int, ...], str], list[str]] = defaultdict(list)
    for name, (version, label, kind) in sorted(chosen.items()):
        by_version[version, label].append(name)
        is_data = kind in "BbDdRrVv"
        (data if is_data else code).append(f".globl {name}\n.type {name}, {'@object' if is_data else '@function'}\n{name}:")
    data.append(".quad 0")
    nodes = [f"{label} {{ global: {'; '.join(names)}; }};" for (_, label), names in sorted(by_version.items())]
    script = folder / "versions"
    script.write_text("\n".join(nodes))
    name = soname.split(".so")[0] + ".so"
    text = "\n".join([*code, *data, '.section .note.GNU-stack,"",@progbits', ""])
    options = ["-shared", "-nostdlib", f"-Wl,-soname,{soname}", f"-Wl,--version-script,{script}"]
    _compile(compiler, text, [*options, "-o", folder / name])
    subprocess.run(["strip", "--strip-all", folder / name], check=True)
    script.unlink()


def _compile(compiler: str, text: str, options: list[str | Path]) -> None:
    subprocess.run([compiler, "-x", "assembler", "-", *options], input=text, text=True, check=True)
