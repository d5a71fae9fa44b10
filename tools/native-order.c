// Runs a program and notes which of its functions run, in the order of their first calls: a breakpoint on each, which goes when it is hit.
//
//   native-order ADDRESSES OUTPUT PROGRAM [ARGUMENT...]
//
// ADDRESSES has the address of a function in the file on each line, hexadecimal; OUTPUT gets those that ran. Linux on x86-64. tools/native-profile uses it.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint8_t breakpoint = 0xcc;
static uint64_t *functions;
static uint8_t *code;
static size_t count;

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void read_functions(const char *name) {
    FILE *file = fopen(name, "r");
    unsigned long long address;
    size_t room = 0;
    if (!file) {
        perror(name);
        exit(1);
    }
    while (fscanf(file, "%llx", &address) == 1) {
        if (count == room)
            functions = realloc(functions, (room = room ? 2 * room : 65536) * sizeof *functions);
        functions[count++] = address;
    }
    fclose(file);
    qsort(functions, count, sizeof *functions, compare);
    code = calloc(count, 1);
}

static uint64_t base_of(pid_t process) {
    char name[64];
    unsigned long long base = 0;
    snprintf(name, sizeof name, "/proc/%d/maps", process);
    FILE *maps = fopen(name, "r");
    if (!maps || fscanf(maps, "%llx", &base) != 1)
        exit(1);
    fclose(maps);
    return base;
}

int main(int argc, char **argv) {
    if (argc < 4)
        return 2;
    read_functions(argv[1]);
    FILE *output = fopen(argv[2], "w");
    setvbuf(output, NULL, _IOLBF, 0);

    pid_t process = fork();
    if (process == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        execv(argv[3], argv + 3);
        _exit(127);
    }

    int status;
    waitpid(process, &status, 0);
    ptrace(PTRACE_SETOPTIONS, process, 0, PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL);
    uint64_t base = base_of(process);
    char name[64];
    snprintf(name, sizeof name, "/proc/%d/mem", process);
    int memory = open(name, O_RDWR);
    for (size_t i = 0; i < count; i++) {
        if (pread(memory, &code[i], 1, base + functions[i]) != 1 || pwrite(memory, &breakpoint, 1, base + functions[i]) != 1) {
            perror("native-order: a function");
            return 1;
        }
    }

    ptrace(PTRACE_CONT, process, 0, 0);
    for (;;) {
        pid_t thread = waitpid(-1, &status, __WALL);
        if (thread < 0 || (thread == process && (WIFEXITED(status) || WIFSIGNALED(status))))
            return 0;
        if (!WIFSTOPPED(status))
            continue;
        int signal = WSTOPSIG(status);
        if (signal == SIGTRAP && status >> 16 == 0) {
            struct user_regs_struct registers;
            ptrace(PTRACE_GETREGS, thread, 0, &registers);
            uint64_t address = registers.rip - 1 - base;
            uint64_t *function = bsearch(&address, functions, count, sizeof *functions, compare);
            if (function) {
                // Another thread may have hit it as well: that one only has to go back.
                uint8_t now;
                size_t i = (size_t)(function - functions);
                if (pread(memory, &now, 1, base + address) == 1 && now == breakpoint && code[i] != breakpoint) {
                    pwrite(memory, &code[i], 1, base + address);
                    fprintf(output, "%llx\n", (unsigned long long)address);
                }
                registers.rip--;
                ptrace(PTRACE_SETREGS, thread, 0, &registers);
                signal = 0;
            }
        } else if (signal == SIGTRAP || signal == SIGSTOP) {
            signal = 0; // of ptrace: a new thread
        }
        ptrace(PTRACE_CONT, thread, 0, signal);
    }
}
