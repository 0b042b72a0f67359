// Tells the parts of a page that something has changed; they ask for themselves then. While nobody looks, and while the line is
// down, they come on their own time.
(() => {
  let line;
  const close = () => line && line.close();
  const open = () => {
    close();
    line = new EventSource("/changes");
    line.onmessage = () => document.body.dispatchEvent(new Event("changed"));
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return close();
    open();
    document.body.dispatchEvent(new Event("changed"));
  });
  addEventListener("pagehide", close);
  if (!document.hidden) open();
})();
