"""A page in a real browser, and all that it does that nobody asked for: requests elsewhere, broken policy, errors, dialogs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, Request

WCAG = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
_REACHABLE = """() => {
  // Of a group of radio buttons Tab reaches one, and the arrows the others.
  const first = each => { const all = [...(each.form || document).querySelectorAll(`input[type=radio][name="${each.name}"]`)];
                          return all.find(other => other.checked) || all[0]; };
  return [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary')]
  .filter(each => each.checkVisibility({visibilityProperty: true}) && !each.disabled)
  .filter(each => each.type !== 'radio' || each === first(each))
  .map((each, place) => { each.dataset.place = place; return each.outerHTML.slice(0, 120); });
}"""
_FOCUSED = """() => {
  const here = document.activeElement, box = here.getBoundingClientRect();
  if (!here || here === document.body) return null;
  const first = here.getClientRects()[0] || box;
  const seen = document.elementFromPoint(first.x + first.width / 2, first.y + first.height / 2);
  const style = getComputedStyle(here);
  return {place: here.dataset.place, tag: here.tagName, shown: !!seen && (here.contains(seen) || seen.contains(here)),
          ring: here.matches(':focus-visible') && style.outlineStyle !== 'none', top: box.top, html: here.outerHTML.slice(0, 120)};
}"""


class Watched:
    """One page of a browser. `faults` are what it did wrong until now."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.page: Page = context.new_page()
        self.url = url
        self.faults: list[str] = []
        self.page.on("request", self._request)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self._add("error", str(error)))
        self.page.on("dialog", self._dialog)

    def _request(self, request: Request) -> None:
        if not request.url.startswith(f"{self.url}/"):
            self._add("asked elsewhere", request.url)

    def _console(self, message: ConsoleMessage) -> None:
        if "Security Policy" in message.text:
            self._add("console", message.text)

    def _dialog(self, dialog: Dialog) -> None:
        self._add("dialog", dialog.message)
        dialog.dismiss()

    def _add(self, kind: str, what: str) -> None:
        self.faults.append(f"{kind}: {what[:200]}")

    def open(self, path: str) -> int:
        answer = self.page.goto(self.url + path)
        assert answer is not None
        return answer.status

    def wide(self) -> int:
        """Pixels that the page is wider than the window: 0 where nobody has to scroll sideways."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    def inaccessible(self) -> str:
        """What axe-core finds by WCAG 2.0 to 2.2, A and AA; empty when it finds nothing."""
        found: Any = Axe().run(self.page, options=WCAG)
        return found.generate_report() if found.violations_count else ""

    def unreachable(self, most: int = 400) -> list[str]:
        """What the Tab key alone does not reach, or reaches without that anybody sees it."""
        wanted = self.page.evaluate(_REACHABLE)
        # The first key goes on from where the focus was last, also after it was lost: put it before all.
        self.page.evaluate("() => { document.body.tabIndex = -1; document.body.focus(); }")
        seen: dict[str, str] = {}
        for _ in range(most):
            self.page.keyboard.press("Tab")
            found = self.page.evaluate(_FOCUSED)
            if found is None or (len(seen) > 1 and found["place"] == "0"):
                break
            if found["shown"] and found["ring"]:  # a date has several stops; its ring is around the first
                seen[found["place"]] = ""
            else:
                seen.setdefault(found["place"], f"not seen: {found['html']}")
        lost = [html for place, html in enumerate(wanted) if str(place) not in seen]
        return [html for html in seen.values() if html] + lost


@contextmanager
def watched(browser: Browser, url: str, session: Any = None, **more: Any) -> Iterator[Watched]:
    """A page in a context of its own. `session`: of somebody who signed in (`BrowserContext.storage_state`)."""
    context = browser.new_context(storage_state=session, **more)
    try:
        yield Watched(context, url)
    finally:
        context.close()
