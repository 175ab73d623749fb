"""Where bytes and time come in: transports, the driver, the fan-out, credentials, the clock."""
