// Sends COUNT touchpoints with an unmodified @segment/analytics-node and says which message ids were delivered.
// usage: node send.mjs HOST WRITE_KEY COUNT
import { Analytics } from "@segment/analytics-node";

const [host, writeKey, count] = process.argv.slice(2);
const analytics = new Analytics({ host, writeKey, flushAt: 15, flushInterval: 50, maxRetries: 3 });
const delivered = [];
const errors = [];

analytics.on("error", (error) => errors.push(String(error.reason ?? error.code)));

for (let number = 0; number < Number(count); number += 1) {
  analytics.track(
    {
      messageId: `node-${number}`,
      anonymousId: `browser-${number % 7}`,
      event: "Product Viewed",
      properties: { number, price: 19.5, name: "Füller", tags: ["a", null] },
    },
    (error, context) => {
      if (!error) delivered.push(context.event.messageId);
    },
  );
}
analytics.identify({ messageId: "node-identify", userId: "user-1", traits: { plan: "basic" } }, (error, context) => {
  if (!error) delivered.push(context.event.messageId);
});
await analytics.closeAndFlush({ timeout: 20000 });
console.log(JSON.stringify({ delivered, errors }));
