# SPDX-License-Identifier: MIT
"""Real MTAs for the tests: Postfix, Exim and OpenSMTPD, side by side. See README."""
