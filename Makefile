# smtpscope. `make help` says what there is.
CC       ?= cc
PREFIX   ?= /usr/local
DESTDIR  ?=
SANITIZE ?=
BUILD    ?= build$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
comma    := ,

PACKAGES := libevent openssl libpcre2-8 libcares
CPPFLAGS += -I. -D_GNU_SOURCE -DPCRE2_CODE_UNIT_WIDTH=8 $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
CFLAGS   ?= -O2 -g
override CFLAGS += -std=c11 $(WARNINGS) -fno-strict-aliasing $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all)
LDLIBS   += $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)
CHECK_LIBS = $(shell pkg-config --libs check)

SOURCES  := $(sort $(shell find decoders proxy -name '*.c'))
DECODERS := $(filter decoders/%,$(SOURCES))
PROGRAM  := $(filter-out proxy/main.c,$(filter proxy/%,$(SOURCES)))
UNITS    := $(sort $(wildcard tests/unit/test_*.c))
object    = $(patsubst %.c,$(BUILD)/%.o,$(1))

all: smtpscope

# These are pulled from the archive if they are there; until then main.c has weak ones.
ROOMS    := proxy sink check explain

smtpscope: $(BUILD)/smtpscope
	@cp $< $@
$(BUILD)/smtpscope: $(BUILD)/proxy/main.o $(BUILD)/libproxy.a $(BUILD)/libdecoders.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(ROOMS:%=-Wl,-u,%_command) $(filter %.a,$^) $^ $(LDLIBS)
$(BUILD)/libdecoders.a: $(call object,$(DECODERS))
$(BUILD)/libproxy.a: $(call object,$(PROGRAM))
$(BUILD)/%.a:
	@rm -f $@
	$(AR) rcs $@ $^
$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(BUILD)/libproxy.a $(BUILD)/libdecoders.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(CHECK_LIBS) $(LDLIBS)

units: $(patsubst %.c,$(BUILD)/%,$(UNITS))
	@set -e; for t in $^; do $$t; done

clean:
	rm -rf build build-* smtpscope

.PHONY: all units clean
.PRECIOUS: $(BUILD)/tests/unit/%.o
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
