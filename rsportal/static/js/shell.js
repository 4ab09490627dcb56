// Menus close on Escape, on a click elsewhere, and when another opens.

const menus = [...document.querySelectorAll("details[data-menu]")];

function closeMenus(except) {
  for (const menu of menus) {
    if (menu !== except) menu.open = false;
  }
}

document.addEventListener("click", (event) => {
  closeMenus(menus.find((menu) => menu.contains(event.target)));
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = menus.find((menu) => menu.open);
  if (!open) return;
  closeMenus();
  open.querySelector("summary").focus();
});
