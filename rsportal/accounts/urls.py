"""Addresses of the accounts pages (under /accounts/)."""

from django.contrib.auth import views as auth_views
from django.urls import path
from django.views.generic import RedirectView

from rsportal.accounts import views, views_password

urlpatterns = [
    path("login/", views_password.LoginView.as_view(), name="login"),
    path("logout/", auth_views.LogoutView.as_view(), name="logout"),
    path("signup/", views.SignupView.as_view(), name="signup"),
    path("password/", views_password.PasswordChangeView.as_view(), name="password_change"),
    path("password/done/", RedirectView.as_view(pattern_name="profile"), name="password_change_done"),
    path("reset/", views_password.PasswordResetView.as_view(), name="password_reset"),
    path("reset/sent/", auth_views.PasswordResetDoneView.as_view(), name="password_reset_done"),
    path("reset/<uidb64>/<token>/", views_password.PasswordResetConfirmView.as_view(), name="password_reset_confirm"),
    path("profile/", views.ProfileView.as_view(), name="profile"),
    path("tokens/", views.token_create, name="token_create"),
    path("tokens/<slug:token_key>/revoke/", views.token_revoke, name="token_revoke"),
    path("language/", views.set_language, name="set_language"),
]
