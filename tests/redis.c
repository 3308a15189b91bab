/* SPDX-License-Identifier: MIT */
#include "redis.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

uv_loop_t loop;
struct conf conf;
pid_t redis;
int redis_port;

static char dir[] = "/tmp/palaver-test-XXXXXX";
static char sock[64], port_text[8] = "0";

/* ---- the server ---- */

/* Starts a program without output. */
static pid_t
spawn(const char *const argv[])
{
	pid_t pid = fork();

	if (pid == 0) {
		/* A server does not outlive a test that broke off. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		int null = open("/dev/null", O_RDWR);

		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	return pid;
}

static int
reap(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool
redis_cli(const char *const words[])
{
	const char *argv[16] = { "redis-cli", "-s", sock };

	for (size_t i = 0; i < 12 && words[i] != NULL; i++)
		argv[3 + i] = words[i];
	return reap(spawn(argv)) == 0;
}

bool
redis_shell(const char *command)
{
	return reap(spawn((const char *const[]){ "sh", "-c", command, sock,
	    NULL })) == 0;
}

bool
redis_start(bool without_auth)
{
	uint64_t end = clock_ms() + PATIENCE;

	redis = spawn((const char *const[]){ "redis-server", "--port", port_text,
	    "--bind", "127.0.0.1", "--unixsocket", sock, "--save", "",
	    "--appendonly", "no", "--dir", dir,
	    without_auth ? "--rename-command" : NULL, "AUTH", "", NULL });
	while (clock_ms() < end) {
		if (access(sock, F_OK) == 0 && CLI("PING"))
			return true;
		if (waitpid(redis, NULL, WNOHANG) == redis)
			break;
		usleep(10000);
	}
	redis = 0;
	return false;
}

void
redis_kill(void)
{
	if (redis > 0) {
		kill(redis, SIGKILL);
		reap(redis);
	}
	redis = 0;
	unlink(sock);
}

static void
cleanup(void)
{
	redis_kill();
	rmdir(dir);
}

static void
pick_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&a, n) == 0 &&
	    getsockname(fd, (struct sockaddr *)&a, &n) == 0)
		redis_port = ntohs(a.sin_port);
	snprintf(port_text, sizeof(port_text), "%d", redis_port);
	close(fd);
}

/* ---- turning the loop ---- */

static uv_timer_t alarm_timer;

static void
on_alarm(uv_timer_t *t)
{
	(void)t;
}

bool
until(const int *what, int at_least, unsigned ms)
{
	uint64_t end = clock_ms() + ms;

	uv_timer_start(&alarm_timer, on_alarm, 5, 5);
	while (*what < at_least && clock_ms() < end)
		uv_run(&loop, UV_RUN_ONCE);
	uv_timer_stop(&alarm_timer);
	return *what >= at_least;
}

void
turn(unsigned ms)
{
	static const int never;

	until(&never, 1, ms);
}

/* ---- what is logged ---- */

static int log_fd, saved_stderr;

void
capture(void)
{
	char path[] = "/tmp/palaver-log-XXXXXX";

	log_fd = mkstemp(path);
	unlink(path);
	saved_stderr = dup(STDERR_FILENO);
	dup2(log_fd, STDERR_FILENO);
}

bool
captured(const char *needle)
{
	static char text[65536];
	ssize_t n = pread(log_fd, text, sizeof(text) - 1, 0);

	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(log_fd);
	text[n < 0 ? 0 : n] = '\0';
	return strstr(text, needle) != NULL;
}

/* ---- beginning and end ---- */

void
redis_begin(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	if (reap(spawn((const char *const[]){ "redis-server", "--version",
	    NULL })) != 0) {
		printf("1..0 # SKIP no redis-server\n");
		exit(77);
	}
	if (mkdtemp(dir) == NULL)
		exit(1);
	atexit(cleanup);
	snprintf(sock, sizeof(sock), "%s/sock", dir);
	pick_port();
	conf.redis.path = sock;
	uv_loop_init(&loop);
	uv_timer_init(&loop, &alarm_timer);
	if (!redis_start(false)) {
		printf("Bail out! Redis does not start\n");
		exit(1);
	}
}

bool
redis_end(void)
{
	uv_close((uv_handle_t *)&alarm_timer, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop) == 0;
}
