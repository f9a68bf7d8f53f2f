# smtpscope. `make help` says what there is.
CC       ?= cc
PREFIX   ?= /usr/local
DESTDIR  ?=
SANITIZE ?=
BUILD    ?= build$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
JOBS     ?= $(shell nproc 2>/dev/null || echo 1)
comma    := ,

LIBRARIES := libevent libpcre2-8 libcares libpcap liburing libssl libcrypto
CPPFLAGS += -I. -D_GNU_SOURCE -DPCRE2_CODE_UNIT_WIDTH=8 $(shell pkg-config --cflags $(LIBRARIES) 2>/dev/null)
WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
CFLAGS   ?= -O2 -g
override CFLAGS += -std=c11 -pthread $(WARNINGS) -fno-strict-aliasing $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all)
LDLIBS   += $(shell pkg-config --libs $(LIBRARIES) 2>/dev/null)
# What crosses from decoders/ to proxy/ ten times a line is inlined where GCC can: a tenth of what decoding costs.
# The objects are whole without that too: tests, of which there are many, are linked in the usual way.
LTO      ?= $(if $(SANITIZE),,$(if $(findstring Free Software,$(shell $(CC) --version 2>/dev/null)),-flto=auto -ffat-lto-objects))
LTO      := $(LTO)
CHECK_LIBS = $(shell pkg-config --libs check)

SOURCES  := $(sort $(shell find decoders proxy -name '*.c'))
DECODERS := $(filter decoders/%,$(SOURCES))
PROGRAM  := $(filter-out proxy/main.c,$(filter proxy/%,$(SOURCES)))
UNITS    := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/unit/test_*.c)))
HELPERS  := $(filter-out tests/unit/test_%,$(sort $(wildcard tests/unit/*.c)))
SCRIPTS  := $(sort $(wildcard tests/integration/test_*.py))
BENCHES  := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/bench/*.c)))
RULES    := $(sort $(wildcard samples/rules/*.rules))
MANUALS  := $(sort $(wildcard proxy/*.[1-8] proxy/*/*.[1-8]))
object    = $(patsubst %.c,$(BUILD)/%.o,$(1))

# Builds beside the usual one (sanitizers, another compiler) leave ./smtpscope alone.
all: $(if $(filter build,$(BUILD)),smtpscope,$(BUILD)/smtpscope)

smtpscope: $(BUILD)/smtpscope
	@cp $< $@
$(BUILD)/smtpscope: $(BUILD)/proxy/main.o $(BUILD)/libproxy.a $(BUILD)/libdecoders.a
	$(CC) $(CFLAGS) $(LTO) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(BUILD)/libdecoders.a: $(call object,$(DECODERS))
$(BUILD)/libproxy.a: $(call object,$(PROGRAM))
$(BUILD)/libhelpers.a: $(call object,$(HELPERS))
$(BUILD)/%.a: $(BUILD)/sources
	@rm -f $@
	$(AR) rcs $@ $(filter %.o,$^)
$(BUILD)/%.o: %.c $(BUILD)/flags | libraries
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(if $(filter tests/%,$<),,$(LTO)) -MMD -MP -c -o $@ $<
$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(BUILD)/libhelpers.a $(BUILD)/libproxy.a $(BUILD)/libdecoders.a
	$(CC) $(CFLAGS) $(if $(LTO),-fno-lto) $(LDFLAGS) -o $@ $^ $(CHECK_LIBS) $(LDLIBS)
# Decoders are a library of their own: they need nothing of proxy/, and no library but libc.
$(BUILD)/tests/unit/test_library: $(BUILD)/tests/unit/test_library.o $(BUILD)/libdecoders.a
	$(CC) $(CFLAGS) $(if $(LTO),-fno-lto) $(LDFLAGS) -o $@ $^

# The benchmark's programs stand each for itself.
$(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< $(shell pkg-config --libs libpcap)

# What was built of other sources, or in another way, is built again.
$(BUILD)/sources: ALWAYS
	@mkdir -p $(@D); echo '$(SOURCES) $(HELPERS)' | cmp -s - $@ || echo '$(SOURCES) $(HELPERS)' >$@
$(BUILD)/flags: ALWAYS
	@mkdir -p $(@D); echo '$(CC) $(CPPFLAGS) $(CFLAGS) $(LTO)' | cmp -s - $@ || echo '$(CC) $(CPPFLAGS) $(CFLAGS) $(LTO)' >$@
ALWAYS:

libraries:
	@pkg-config --exists --print-errors $(LIBRARIES) || { \
	    echo "smtpscope needs pkg-config, $(LIBRARIES): '.ci/packages build' installs them on Debian" >&2; exit 1; }

units: $(UNITS)
	@tests/run.sh $^

programs: all $(UNITS)

# These install what is missing first, and so build in a make of their own.
demo:
	@.ci/packages demo
	@$(MAKE) --no-print-directory -j$(JOBS) -s all
	@.ci/demo

test:
	@.ci/packages test
	@$(MAKE) --no-print-directory -j$(JOBS) -s programs
	@rm -f $(BUILD)/tested
	@SMTPSCOPE=$(BUILD)/smtpscope tests/run.sh $(UNITS) $(SCRIPTS) $(RULES)
	@touch $(BUILD)/tested

# BENCH: more words for tests/bench/bench.py, as --rounds 20 or --cases short20,long.
bench: all $(BENCHES)
	@SMTPSCOPE=$(BUILD)/smtpscope BUILD=$(BUILD) python3 tests/bench/bench.py $(BENCH)

bench-faults: all $(BENCHES)
	@SMTPSCOPE=$(BUILD)/smtpscope python3 tests/bench/timing.py
	@SMTPSCOPE=$(BUILD)/smtpscope BUILD=$(BUILD) python3 tests/bench/rules.py

lint:
	@.ci/packages lint
	@$(MAKE) --no-print-directory -j$(JOBS) -s all
	@BUILD=$(BUILD) .ci/lint

# Everything twice: by clang, and by both sanitizers, with the long runs of the property tests, and there
# each leg is read and written as those of a crowd are; what has threads by theirs too.
THREADED := tests/unit/test_writer tests/unit/test_pipeline
# What `make test` has passed on, as CI has it do first, is not run a second time by the same build.
changed = $(shell find Makefile .ci decoders proxy samples tests -type f ! -path '*/__pycache__/*' -newer $(BUILD)/tested 2>&1)
test-all:
	@.ci/packages test-all
	@$(MAKE) --no-print-directory lint
	@$(if $(changed),$(MAKE) --no-print-directory test,echo "make test has passed on what is here")
	@$(MAKE) --no-print-directory -s BENCH=--short bench
	@$(MAKE) --no-print-directory -j$(JOBS) -s CC=clang BUILD=build-clang programs
	@$(MAKE) --no-print-directory CC=clang BUILD=build-clang units
	@$(MAKE) --no-print-directory -j$(JOBS) -s SANITIZE=thread all $(THREADED:%=build-thread/%)
	@TSAN_OPTIONS=halt_on_error=1 SMTPSCOPE=build-thread/smtpscope tests/run.sh $(THREADED:%=build-thread/%) \
	    tests/integration/test_workers.py
	@SMTPSCOPE_LONG=1 SMTPSCOPE=$(BUILD)/smtpscope tests/run.sh tests/integration/test_tls_vanishing.py
	@SMTPSCOPE_LONG=1 TEST_TIMEOUT=2400 CPPFLAGS=-DROUND_LEAST=1 $(MAKE) --no-print-directory SANITIZE=address,undefined test

install: all
	install -D -m 755 $(BUILD)/smtpscope $(DESTDIR)$(PREFIX)/bin/smtpscope
	@set -e; for m in $(MANUALS); do \
	    echo "install -D -m 644 $$m $(DESTDIR)$(PREFIX)/share/man/man$${m##*.}/$${m##*/}"; \
	    install -D -m 644 $$m $(DESTDIR)$(PREFIX)/share/man/man$${m##*.}/$${m##*/}; \
	done
	install -d $(DESTDIR)$(PREFIX)/share/smtpscope/rules
	install -m 644 $(RULES) $(DESTDIR)$(PREFIX)/share/smtpscope/rules

clean:
	rm -rf build build-* smtpscope

help:
	@echo 'make             ./smtpscope'
	@echo 'make demo        one session through the proxy, with a forced 421'
	@echo 'make test        all tests'
	@echo 'make test-all    all tests, by clang and under sanitizers too, the long runs, lint'
	@echo 'make units       the unit tests alone'
	@echo 'make lint        cppcheck, shellcheck, mandoc, and the rules of this house'
	@echo 'make bench       what it costs, beside a relay that decodes nothing and installed peers'
	@echo 'make bench-faults  how exact faults of time are; what rules cost that do not match'
	@echo 'make install     PREFIX=/usr/local DESTDIR='
	@echo 'make clean'
	@echo 'With SANITIZE=address,undefined, CC=clang BUILD=build-clang, CFLAGS=, JOBS= as you like.'
	@echo 'demo, test, test-all and lint install what they need on Debian, if they may.'

.PHONY: all ALWAYS libraries units programs demo test bench bench-faults test-all lint install clean help
.PRECIOUS: $(BUILD)/%.o
-include $(shell find $(BUILD)/decoders $(BUILD)/proxy $(BUILD)/tests -name '*.d' 2>/dev/null)
