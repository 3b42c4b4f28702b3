// The nursery: a process that opens DuckDB once and forks for every worker, before Go's runtime begins.
//
// Opening and warming DuckDB costs a worker more than most statements do. A program of Go cannot fork without an exec, as its runtime has threads;
// but the runtime begins only with main. So a nursery is this same binary, held before its main: one thread, a warm
// database without data, and a socket on which the server asks for workers. A worker is a fork that goes on into main, where Go begins for it
// afresh; it shares the nursery's memory until it writes to it.
//
// What may never break: a nursery has one thread when it forks; it never holds anything of a statement; and a worker has none of its descriptors.
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "database.h"

#define CONTROL 3      // the socket to the server
#define ANSWERS 3      // where a worker answers, see answerFD
#define MAX_WORKERS 512 // alive at once; the server runs a tenth of that

// die tells why the nursery ends; the server keeps the text.
static void die(const char *what) {
	fprintf(stderr, "nursery: %s: %s\n", what, strerror(errno));
	_exit(1);
}

// threads counts this process's threads.
static int threads(void) {
	DIR *d = opendir("/proc/self/task");
	if (d == NULL) die("/proc/self/task");
	int n = 0;
	for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

// message is what the nursery tells: a worker was forked ('F', with its pidfd, value 0, or value errno), or has ended ('X', value its wait status).
struct message {
	int32_t kind, pid, value;
};

// tell sends a message, with a descriptor where fd is not negative. A server that is gone ends the nursery.
static void tell(int32_t kind, pid_t pid, int32_t value, int fd) {
	struct message m = {kind, pid, value};
	struct iovec iov = {&m, sizeof m};
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} c;
	memset(&c, 0, sizeof c);
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
	if (fd >= 0) {
		h.msg_control = &c;
		h.msg_controllen = sizeof c.room;
		struct cmsghdr *p = CMSG_FIRSTHDR(&h);
		p->cmsg_level = SOL_SOCKET;
		p->cmsg_type = SCM_RIGHTS;
		p->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(p), &fd, sizeof fd);
	}
	if (sendmsg(CONTROL, &h, MSG_NOSIGNAL) < 0) die("answer");
}

// request is a call for a worker: its directory, and its standard input, the pipe of its answers and its standard error.
struct request {
	char dir[4096];
	int fds[3];
};

// receive reads one request; 0 when the server has closed the socket.
static int receive(struct request *r) {
	struct iovec iov = {r->dir, sizeof r->dir - 1};
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof r->fds)];
	} c;
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof c.room};
	ssize_t n = recvmsg(CONTROL, &h, 0);
	if (n < 0) die("request");
	if (n == 0) return 0;
	r->dir[n] = 0;
	struct cmsghdr *p = CMSG_FIRSTHDR(&h);
	if (p == NULL || p->cmsg_type != SCM_RIGHTS || p->cmsg_len != CMSG_LEN(sizeof r->fds)) {
		errno = EPROTO;
		die("request");
	}
	memcpy(r->fds, CMSG_DATA(p), sizeof r->fds);
	return 1;
}

// settle makes the fork that has just begun a worker: its own descriptors and no others, its directory, its end with the nursery's.
static void settle(const struct request *r, pid_t nursery) {
	int fds[3];
	for (int i = 0; i < 3; i++)
		if ((fds[i] = fcntl(r->fds[i], F_DUPFD, 16)) < 0) die("descriptors");
	if (dup2(fds[0], 0) < 0 || dup2(fds[1], ANSWERS) < 0 || dup2(fds[2], 2) < 0) die("descriptors");
	if (syscall(SYS_close_range, ANSWERS + 1, ~0U, 0) != 0) die("descriptors");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) die("parent's death");
	if (getppid() != nursery) _exit(1);
	if (setpgid(0, 0) != 0) die("process group");
	if (chdir(r->dir) != 0) die(r->dir);
}

static struct pollfd watched[1 + MAX_WORKERS]; // the socket, then a pidfd for each worker
static pid_t pids[1 + MAX_WORKERS];
static int count = 1;

// reap tells of the workers that have ended.
static void reap(void) {
	for (int i = count - 1; i > 0; i--) {
		if (watched[i].revents == 0) continue;
		int status = 0;
		if (waitpid(pids[i], &status, 0) != pids[i]) die("wait");
		close(watched[i].fd);
		tell('X', pids[i], status, -1);
		count--;
		watched[i] = watched[count];
		pids[i] = pids[count];
	}
}

// nursery forks workers until the server closes the socket. It returns in each worker.
static void nursery(void) {
	const pid_t self = getpid();
	struct request r;
	watched[0] = (struct pollfd){CONTROL, POLLIN, 0};
	for (;;) {
		if (poll(watched, count, -1) < 0) die("poll");
		reap();
		if (watched[0].revents == 0) continue;
		if (!receive(&r)) _exit(0);
		if (count == 1 + MAX_WORKERS || threads() != 1) {
			tell('F', 0, EAGAIN, -1);
		} else {
			pid_t pid = fork();
			if (pid == 0) {
				settle(&r, self);
				return;
			}
			int fd = pid < 0 ? -1 : syscall(SYS_pidfd_open, pid, 0);
			if (fd < 0) {
				int problem = errno;
				if (pid > 0) {
					kill(pid, SIGKILL);
					waitpid(pid, NULL, 0);
				}
				tell('F', 0, problem, -1);
			} else {
				watched[count] = (struct pollfd){fd, POLLIN, 0};
				pids[count++] = pid;
				tell('F', pid, 0, fd);
			}
		}
		for (int i = 0; i < 3; i++) close(r.fds[i]);
	}
}

typedef int main_function(int argc, char **argv, char **env);
static main_function *go_on; // into Go's runtime

// held is main for a nursery, and in the end for its workers.
static int held(int argc, char **argv, char **env) {
	const char *problem = loch_database_open(&loch_nursery_database);
	if (problem == NULL) problem = loch_database_warm(loch_nursery_database);
	if (problem != NULL) {
		fprintf(stderr, "nursery: %s\n", problem);
		return 1;
	}
	nursery();
	strcpy(argv[1], LOCH_WORKER); // which is shorter; in place, so that it shows in the list of processes
	return go_on(argc, argv, env);
}

// The C library calls main once all of the program's own constructors, DuckDB's among them, have run; the program's first instructions call this
// function of the library with main's address, and find this one in its place. (A linker's --wrap would do, if Go's did not try its flags on programs
// that have no such function.)
int __libc_start_main(main_function *main, int argc, char **argv, void (*init)(void), void (*fini)(void), void (*rtld_fini)(void), void *stack_end) {
	__typeof__(&__libc_start_main) next = (__typeof__(&__libc_start_main))dlsym(RTLD_NEXT, "__libc_start_main");
	if (next == NULL) {
		static const char text[] = "the C library has no __libc_start_main\n";
		if (write(2, text, sizeof text - 1) < 0) _exit(2);
		_exit(1);
	}
	go_on = main;
	return next(argc == 2 && strcmp(argv[1], LOCH_NURSERY) == 0 ? held : main, argc, argv, init, fini, rtld_fini, stack_end);
}
