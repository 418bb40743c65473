// What the pages need of the browser: inline citations, copying, remembered language and theme, bringing a passage
// into view. Everything listens on the document, so it survives whatever Streamlit redraws.

const COPIED_MS = 1600
const FIND_MS = 2000
const KEY = "chatbot_key"

async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) {
    return navigator.clipboard.writeText(text)
  }
  const area = document.createElement("textarea") // http on a local network: no clipboard API
  area.value = text
  area.style.position = "fixed"
  area.style.opacity = "0"
  document.body.appendChild(area)
  area.select()
  document.execCommand("copy")
  area.remove()
}

function showTheme(choice, paths) {
  // Streamlit keeps the viewer's theme by page path; its own menu is hidden because it speaks English only.
  for (const path of paths) {
    localStorage.setItem(`stActiveTheme-${path}-v2`, JSON.stringify(choice))
  }
  location.reload()
}

function bringIntoView(panelSelector, hitSelector) {
  const begun = performance.now()
  const look = () => {
    const panel = document.querySelector(panelSelector)
    const hit = panel?.querySelector(hitSelector)
    if (hit) {
      panel.scrollTop = 0
      const below = panel.getBoundingClientRect().bottom - hit.getBoundingClientRect().bottom
      if (below < 40) {
        hit.scrollIntoView({ block: "start", behavior: "instant" })
      }
    } else if (performance.now() - begun < FIND_MS) {
      requestAnimationFrame(look)
    }
  }
  requestAnimationFrame(look)
}

export default function (component) {
  const { data, setTriggerValue, parentElement } = component
  const state = (window.__chatbotBridge ??= {})

  document.documentElement.lang = data.language
  if (data.chosen) {
    document.cookie = `chatbot_language=${data.chosen}; path=/; max-age=31536000; SameSite=Lax`
  }
  if (data.theme && state.theme !== data.theme.nonce) {
    state.theme = data.theme.nonce
    if (!sessionStorage.getItem(`theme-${data.theme.nonce}`)) {
      sessionStorage.setItem(`theme-${data.theme.nonce}`, "1")
      showTheme(data.theme.choice, data.theme.paths)
    }
  }
  if (data.opened && state.opened !== data.opened) {
    bringIntoView(".st-key-passage_body", ".cb-passage .hit")
  }
  state.opened = data.opened

  // The key of a server beyond loopback outlives a reload of the tab, not the tab. A cookie would be sent to every
  // port of the host.
  if (data.key) {
    sessionStorage.setItem(KEY, data.key)
  } else if (data.key_wanted && sessionStorage.getItem(KEY) && !state.key_given) {
    state.key_given = true
    setTriggerValue("remembered", sessionStorage.getItem(KEY))
  }

  const onClick = (event) => {
    const target = event.target instanceof Element ? event.target : null
    const cited = target?.closest('a[href^="#cite-"]')
    if (cited) {
      event.preventDefault()
      event.stopPropagation()
      setTriggerValue("cited", cited.getAttribute("href").slice("#cite-".length))
      return
    }
    const copier = target?.closest("[data-copy]")
    if (copier) {
      copy(copier.dataset.copy).then(() => {
        copier.classList.add("cb-copied")
        setTimeout(() => copier.classList.remove("cb-copied"), COPIED_MS)
      })
    }
  }
  const onKey = (event) => {
    if (event.key === "Escape" && data.opened && !document.querySelector('[role="dialog"]')) {
      setTriggerValue("closed", true)
    }
  }
  document.addEventListener("click", onClick, true)
  document.addEventListener("keydown", onKey)
  return () => {
    document.removeEventListener("click", onClick, true)
    document.removeEventListener("keydown", onKey)
  }
}
