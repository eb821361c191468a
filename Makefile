# make              the three programs, in build/     make check   unit tests, layering
# make san          check, with ASan and UBSan        make cover   check, with gcov
# make clang        everything built by clang         make tidy    clang-tidy and cppcheck
# make fuzz         fuzzers, FUZZ_TIME=30 s each      make bench   figures, one JSON line each
# make mutants      do tests notice broken rules?     MUTANTS="--mutants 300", a file, FILE:LINE
# make fmt          lay the sources out               make install DESTDIR= PREFIX= SYSCONFDIR=
# make sim          what fails operations, allocations and power, in build/tests/sim
PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
LIBEXECDIR ?= $(PREFIX)/libexec/challenge-notifyd
UNITDIR    ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
CATALOGDIR  ?= $(PREFIX)/lib/systemd/catalog
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions
BUILD      ?= build
VERSION    := 0.1.0

CFLAGS ?= -O2 -g
HARDEN := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE -fstack-clash-protection
WARN   := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
          -Wformat=2 -Wvla -Wwrite-strings -Wundef
PKGS   := libsystemd sqlite3 libconfig jansson nettle libcurl
DEFINE := -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -DCONFIG_FILE='"$(SYSCONFDIR)/challenge-notifyd/challenge-notifyd.conf"' \
          -DSENDER_PROGRAM='"$(LIBEXECDIR)/challenge-notify-sender"' -DDATADIR='"$(PREFIX)/share/challenge-notifyd"'
ALL_CFLAGS = -std=gnu17 $(WARN) -Idaemon -I$(BUILD) $(DEFINE) $(shell pkg-config --cflags $(PKGS)) -MMD -MP \
             $(HARDEN) $(CFLAGS) $(EXTRA_CFLAGS)
ALL_LDFLAGS = -pie -Wl,--as-needed -Wl,-z,relro,-z,now $(CFLAGS) $(LDFLAGS)
LIBS_MAIN  := $(shell pkg-config --libs libsystemd sqlite3 libconfig jansson nettle)
# Of nettle the daemon takes SHA-256 and its HMAC: from the archive, for as a shared library that
# would be 280 KiB resident for years.
LIBS_DAEMON := $(subst -lnettle,-l:libnettle.a,$(LIBS_MAIN))
LIBS_CTL   := $(LIBS_MAIN) -lcsv
LIBS_SEND  := $(shell pkg-config --libs libcurl jansson nettle)

LAYERS   := base core adapter service sender ctl
sources   = $(sort $(wildcard daemon/$(1)/*.c))
objects   = $(patsubst %.c,$(BUILD)/%.o,$(filter-out %/main.c,$(call sources,$(1))))
archive   = $(BUILD)/$(1).a
PROGRAMS := $(BUILD)/challenge-notifyd $(BUILD)/challenge-notify-sender $(BUILD)/challengectl

all: $(PROGRAMS)

# Places and version are compiled in: `make install` with other ones than `make` builds anew.
$(BUILD)/defines: always
	@mkdir -p $(@D)
	@echo '$(DEFINE)' | cmp -s - $@ || echo '$(DEFINE)' > $@

$(BUILD)/%.o: %.c Makefile $(BUILD)/defines
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

define layer
$(call archive,$(1)): $(call objects,$(1))
	@mkdir -p $$(@D); rm -f $$@
	$(AR) rcs $$@ $$^
endef
$(foreach l,$(LAYERS),$(eval $(call layer,$(l))))

below_adapter := $(foreach l,adapter core base,$(call archive,$(l)))
$(BUILD)/challenge-notifyd: $(BUILD)/daemon/service/main.o $(call archive,service) $(below_adapter)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_DAEMON)
$(BUILD)/challenge-notify-sender: $(BUILD)/daemon/sender/main.o $(call archive,sender) $(below_adapter)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_SEND)
$(BUILD)/challengectl: $(BUILD)/daemon/ctl/main.o $(call archive,ctl) $(below_adapter)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_CTL)

# The store's schema ships as a file and is what `challengectl init` runs: one text, two places.
$(BUILD)/store_sql.inc: conf/store.sql
	@mkdir -p $(@D)
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$$/\\n"/' $< > $@
$(BUILD)/daemon/adapter/register.o: $(BUILD)/store_sql.inc

# A test of a layer links that layer and those below it, nothing else: should the core ever
# reach for SQLite, its tests no longer link.
unit = $(patsubst tests/%.c,$(BUILD)/tests/%,$(sort $(wildcard tests/unit/$(1)/test_*.c)))
LIB_TESTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/lib/*.c))
define unit_rule
$(call unit,$(1)): $(BUILD)/tests/%: $(BUILD)/tests/%.o $(2)
	$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ -lcmocka $(3)
endef
$(eval $(call unit_rule,base,$(call archive,base)))
$(eval $(call unit_rule,core,$(call archive,core) $(call archive,base)))
$(eval $(call unit_rule,adapter,$(LIB_TESTS) $(below_adapter),$(LIBS_CTL) $(LIBS_SEND)))
$(eval $(call unit_rule,service,$(LIB_TESTS) $(call archive,service) $(below_adapter),$(LIBS_MAIN)))
$(eval $(call unit_rule,sender,$(LIB_TESTS) $(call archive,sender) $(below_adapter),$(LIBS_SEND)))
$(eval $(call unit_rule,ctl,$(LIB_TESTS) $(call archive,ctl) $(below_adapter),$(LIBS_CTL)))
UNIT := $(foreach l,$(LAYERS),$(call unit,$(l)))

# Rows of tests name only what they mean.
$(BUILD)/tests/%.o: WARN += -Wno-missing-field-initializers

unit-tests: $(UNIT)

# The oracles of tests/oracle ask this program how the daemon counts.
$(BUILD)/tests/oracle/count: $(BUILD)/tests/oracle/count.o $(below_adapter)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_MAIN)

# A disk in memory, a relay of the test's own and the shipped engine; what defines senders_* and
# journal_* stands before the archives, which then have nothing to add.
, := ,
SIM_SHARED := $(patsubst %,$(BUILD)/tests/sim/%.o,disk relay scene)
SIMS       := $(patsubst %,$(BUILD)/tests/sim/%,power simulate faults)
$(BUILD)/tests/sim/faults: LDFLAGS += $(addprefix -Wl$(,)--wrap=,malloc calloc realloc strdup strndup)
$(SIMS): %: %.o $(SIM_SHARED) $(call archive,service) $(below_adapter)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_MAIN)
# The sender's own code, against a relay on loopback, under a malloc of the test's own.
SENDER_FAULTS := $(BUILD)/tests/sim/sender_faults
$(SENDER_FAULTS): $(SENDER_FAULTS).o $(BUILD)/tests/sim/server.o $(call archive,service) $(call archive,sender) $(below_adapter)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_MAIN) $(LIBS_SEND) -lssl -lcrypto
sim: $(SIMS) $(SENDER_FAULTS)

# Figures, one JSON line each; what they need besides comes with `scripts/deps bench`.
$(BUILD)/bench/%: $(BUILD)/tests/bench/%.o $(call archive,service) $(below_adapter)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_MAIN)
$(BUILD)/bench/bench_curl: $(BUILD)/tests/bench/bench_curl.o
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ -lcurl
$(BUILD)/bench/bench_commit: $(BUILD)/tests/bench/bench_commit.o
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ -lsqlite3
BENCHES := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))
bench: all $(BENCHES)
	@BUILD=$(BUILD) tests/bench/bench.py $(BENCH)

# Breaks the rules in one place after the other, and wants a test to notice 95 in 100.
mutants:
	@tests/mutation/mutate.py $(MUTANTS)

print-unit:
	@echo $(UNIT)

# The daemon that dies where a test tells it to, and believes the test about the time.
crash:
	$(MAKE) $(BUILD)/crash/challenge-notifyd BUILD=$(BUILD)/crash EXTRA_CFLAGS='$(EXTRA_CFLAGS) -DCRASH_POINTS'

# Nor may the core ask the world the time, or anything else, which libc would let it.
IMPURE := time|clock|clock_gettime|gettimeofday|localtime(_r)?|gmtime(_r)?|mktime|timegm|strftime|getenv|secure_getenv|f?open(at|64)?|f?read|f?write|printf|fprintf|puts|sleep|nanosleep|usleep|rand|random|getrandom|getpid|setlocale
layering: $(call archive,core) $(call archive,base)
	@! nm -u $(call objects,core) $(call objects,base) | grep -wE ' U ($(IMPURE))'
	@tests/lib/layering daemon

check: unit-tests layering
	@bad=0; for t in $(UNIT); do echo "== $$t"; $$t || bad=1; done; exit $$bad
san:
	$(MAKE) check BUILD=build/san HARDEN= CFLAGS='-O1 -g -fno-omit-frame-pointer \
	  -fsanitize=address,undefined -fno-sanitize-recover=all'
cover:
	@find build/cover -name '*.gcda' -delete 2>/dev/null; true
	$(MAKE) check all $(LAYERS:%=build/cover/%.a) BUILD=build/cover HARDEN= CFLAGS='-O0 -g --coverage'
	@tests/lib/coverage.py build/cover
clang:
	$(MAKE) all unit-tests BUILD=build/clang CC=clang EXTRA_CFLAGS='-Werror'

# Fuzzers: libFuzzer with ASan and UBSan. Seeds come from tests/fuzz/corpus, what is found by the
# way stays in build/fuzz/corpus; a crash leaves its input in build/fuzz and ends with status 1.
FUZZ_TIME ?= 30
FUZZERS   := $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_ARGUMENTS := BUILD=build/fuzz CC=clang HARDEN= CFLAGS='-O1 -g -fno-omit-frame-pointer \
	  -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all -DFUZZING'
$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(below_adapter)
	$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS_MAIN) $(LIBS_SEND)
fuzzers:
	$(MAKE) $(FUZZERS:%=build/fuzz/tests/fuzz/fuzz_%) $(FUZZ_ARGUMENTS)
fuzz: fuzzers
	@for f in $(FUZZERS); do mkdir -p build/fuzz/corpus/$$f; echo "== fuzz_$$f, $(FUZZ_TIME) s"; \
	  build/fuzz/tests/fuzz/fuzz_$$f -max_total_time=$(FUZZ_TIME) -timeout=1 -rss_limit_mb=1024 -max_len=8192 \
	    -print_final_stats=1 -artifact_prefix=build/fuzz/ build/fuzz/corpus/$$f tests/fuzz/corpus/$$f \
	    > build/fuzz/$$f.log 2>&1 || { cat build/fuzz/$$f.log; exit 1; }; \
	  grep -h number_of_executed build/fuzz/$$f.log; done
tidy: $(BUILD)/store_sql.inc
	@tests/lib/analysis.py cppcheck
	@tests/lib/analysis.py clang-tidy -std=gnu17 -Idaemon -I$(BUILD) $(DEFINE)
C_FILES = $(shell find daemon tests -name '*.[ch]')
fmt:
	clang-format -i $(C_FILES)
fmt-check:
	@clang-format --dry-run -Werror $(C_FILES)

# What a file of systemd/ says of places is said here.
RENDER  = sed -e 's|@sbindir@|$(PREFIX)/sbin|g' -e 's|@bindir@|$(PREFIX)/bin|g' -e 's|@libexecdir@|$(LIBEXECDIR)|g' \
          -e 's|@sysconfdir@|$(SYSCONFDIR)|g'
UNITS  := $(notdir $(wildcard systemd/*.service systemd/*.timer))
SHARE   = $(DESTDIR)$(PREFIX)/share
EXAMPLE = $(SHARE)/challenge-notifyd/example
WORDS  := $(shell cd conf && find templates -type f)

# Unit files with their places filled in, below $(UNITS_INTO); install does it, and so do tests.
units:
	@install -d $(UNITS_INTO)
	@for unit in $(UNITS); do $(RENDER) systemd/$$unit > $(UNITS_INTO)/$$unit && chmod 644 $(UNITS_INTO)/$$unit || exit 1; done

install: UNITS_INTO = $(DESTDIR)$(UNITDIR)
install: all units
	install -D -m 755 $(BUILD)/challenge-notifyd $(DESTDIR)$(PREFIX)/sbin/challenge-notifyd
	install -D -m 755 $(BUILD)/challengectl $(DESTDIR)$(PREFIX)/bin/challengectl
	install -D -m 755 $(BUILD)/challenge-notify-sender $(DESTDIR)$(LIBEXECDIR)/challenge-notify-sender
	install -D -m 755 -t $(DESTDIR)$(LIBEXECDIR) systemd/unit-failed scripts/backup
	sed 's|/etc/challenge-notifyd|$(SYSCONFDIR)/challenge-notifyd|' scripts/update-holidays > $(DESTDIR)$(LIBEXECDIR)/update-holidays
	chmod 755 $(DESTDIR)$(LIBEXECDIR)/update-holidays
	install -D -m 644 systemd/challenge-notifyd.sysusers $(DESTDIR)$(SYSUSERSDIR)/challenge-notifyd.conf
	install -D -m 644 systemd/challenge-notifyd.tmpfiles $(DESTDIR)$(TMPFILESDIR)/challenge-notifyd.conf
	install -D -m 644 daemon/ctl/challengectl.bash-completion $(DESTDIR)$(COMPLETIONDIR)/challengectl
	install -D -m 644 systemd/challenge-notifyd.catalog $(DESTDIR)$(CATALOGDIR)/challenge-notifyd.catalog
	for section in 1 5 8; do install -D -m 644 -t $(SHARE)/man/man$$section daemon/man/*.$$section || exit 1; done
	install -D -m 644 -t $(SHARE)/challenge-notifyd conf/store.sql
	install -D -m 644 -t $(EXAMPLE) conf/challenge-notifyd.conf conf/bank-holidays.json $(wildcard systemd/*.conf)
	install -D -m 644 -t $(EXAMPLE)/policies conf/policies/*.conf
# Words that somebody has made their own stay: then the new ones lie beside them.
	for file in $(WORDS); do \
	  to=$(DESTDIR)$(SYSCONFDIR)/challenge-notifyd/$$file; \
	  if [ -e $$to ] && ! cmp -s conf/$$file $$to; then to=$$to.new; fi; \
	  install -D -m 644 conf/$$file $$to || exit 1; done

clean:
	rm -rf $(BUILD)

.PHONY: all always units bench crash sim mutants unit-tests print-unit layering check san cover clang tidy fmt fmt-check install clean
.SECONDARY:
-include $(shell find $(BUILD)/daemon $(BUILD)/tests -type f -name '*.d' 2>/dev/null)
