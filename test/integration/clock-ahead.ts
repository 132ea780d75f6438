// Imported before a process's own code (NODE_OPTIONS): its wall clock runs ahead by CLOCK_AHEAD_MS.

const ahead = Number(process.env.CLOCK_AHEAD_MS ?? 0);
const { now } = Date;
Date.now = () => now() + ahead;
