"""Numbers of the machine and of the method."""

# On a machine of two cores, one serves, and the other asks (and waits for the checks).
SERVER_CORE, LOAD_CORE = 1, 0

# The port of the first server; each further one gets the next.
FIRST_PORT = 15300

# The port at which the tiny TCP listeners of the endpoints wait for checks.
CHECKED_PORT = 15380

# Sockets of the load generator, one a client; the kernel spreads them over the workers.
CLIENTS = 16

# Queries under way at most. dnsperf begins with as many at once, and a server with a socket buffer
# of the usual 208 KiB holds 270.
OUTSTANDING = 200

# The time a server has to load its zone, in seconds.
START_LIMIT = 180

# The time of load before the measurement starts, in seconds.
WARM_UP = 0.5
