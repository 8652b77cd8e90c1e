"""Numbers of the machine and of the method."""

# On a machine of two cores: one serves, the other asks (and waits for the checks).
SERVER_CORE, LOAD_CORE = 1, 0

# Servers get ports from here on, one after the other.
FIRST_PORT = 15300

# Where the tiny TCP listeners of the endpoints wait for checks.
CHECKED_PORT = 15380

# Sockets of the load generator: as many clients, spread over workers by the kernel.
CLIENTS = 16

# Queries under way at most. dnsperf begins with as many at once, and a server with a socket buffer
# of the usual 208 KiB holds 270.
OUTSTANDING = 200

# How long a server may take to load its zone, in seconds.
START_LIMIT = 180

# What is asked before the measurement starts, in seconds.
WARM_UP = 0.5
